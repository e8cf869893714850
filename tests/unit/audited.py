"""A project for the tests of the audit, and ways to break what the pipeline stored."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from angarium.model.reasons import Priority, Reason
from angarium.model.result import Retry, Unknown
from angarium.pipeline.audit import Audit, Groups, audit
from angarium.ports.broker import Record
from angarium.testing import Harness

ANNA = {"id": "anna", "email": "anna@example.com", "phone": "+15005550006"}
WELCOME = b"""
on = "user.signed_up"
steps = [{ send = ["email", "inbox"] }]
email = { subject = "Welcome", text = "Hello" }
inbox = { title = "Welcome" }
"""
FALLBACK = b"""
on = "code.asked"
steps = [{ first_of = ["sms", "email"], within = "10s" }]
sms = { text = "Code" }
email = { subject = "Code", text = "1" }
"""
PATIENT = b"""
on = "letter.sent"
steps = [{ first_of = ["sms", "email"], until = "delivered" }]
sms = { text = "Letter" }
email = { subject = "Letter", text = "1" }
"""
DRIP = b"""
on = "trial.started"
category = "risky"
steps = [
  { send = "email" },
  { delay = "1d" },
  { send = "sms", when = "data.plan == 'pro'" },
  { stop = "free plans hear no more", when = "data.plan == 'free'" },
  { send = "inbox" },
]
email = { subject = "Hi", text = "Hi" }
sms = { text = "Still there?" }
inbox = { title = "Still there?" }
"""
CATEGORIES = b"""
[risky]
on_unknown = "park"
"""
PROJECT = {
    "workflows/welcome.toml": WELCOME,
    "workflows/fallback.toml": FALLBACK,
    "workflows/patient.toml": PATIENT,
    "workflows/drip.toml": DRIP,
    "categories.toml": CATEGORIES,
}


async def look(harness: Harness, page: int = 1000, groups: Groups | None = None) -> Audit:
    return await audit(harness.broker, harness.database, harness.topics, harness.clock, groups=groups, page=page)


async def break_(harness: Harness, statement: str, *values: Any) -> None:
    """Change what is stored behind the pipeline's back."""
    assert await harness.database.write(_execute, statement, values) > 0


def _execute(connection: Connection, statement: str, values: tuple[Any, ...]) -> int:
    return connection.exec_driver_sql(statement, values).rowcount


async def holes(harness: Harness) -> list[tuple[str, str, str]]:
    found = await look(harness)
    assert found.ok == (not found.holes)
    assert found.hole_count == len(found.holes)
    return [(hole.what, hole.id, hole.problem) for hole in found.holes]


async def a_bit_of_everything(harness: Harness) -> None:
    """Every outcome of an event, and notifications that ended and that did not."""
    await harness.publish("user.signed_up", to=[ANNA, "bo"], id="e1")
    await harness.publish("user.signed_up", to=ANNA, id="e1")
    await harness.publish("nobody.listens", id="e2")
    harness.answer("email", Unknown(Reason.timeout), Retry(Reason.overloaded))
    await harness.publish("trial.started", to=ANNA, id="e3", data={"plan": "free"})
    await harness.publish("user.signed_up", to={**ANNA, "id": "cy"}, id="e4")
    await harness.publish("code.asked", to=ANNA, id="e5")
    await harness.broker.publish([Record(harness.topics.events(Priority.normal), "k", b"{")])
    await harness.settle()


async def stored(harness: Harness, query: str) -> list[Any]:
    """The rows of a query."""
    return await harness.database.read(lambda connection: list(connection.exec_driver_sql(query).all()))
