"""The project that is measured: one workflow that sends one e-mail, and events for it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from angarium.app.clock import SystemClock
from angarium.brokers import sqlite as broker
from angarium.database.engine import Database
from angarium.pipeline.accept import Accept, Draft, Limits
from angarium.pipeline.releases import Releases
from angarium.pipeline.topics import Topics
from angarium.project import load, read
from angarium.telemetry.metrics import Metrics

#: What the workflow is on, and a type that no workflow is on.
TAKEN, IGNORED = "bench.ordered", "bench.ignored"
#: Calls that the account may have open at once: with answers after 20 ms this is no limit.
CONCURRENCY = 512
#: Letters of ballast in the data of each event, as events of real systems have it.
BALLAST = 500
WORKFLOW = """on    = "bench.ordered"
steps = [{ send = "email" }]

[email]
subject = "Order {{ data.number }}"
text    = "Dear {{ user.name | default('customer') }}, order {{ data.number }} is on its way."
"""
CONFIGURATION = """sandbox = false
drain   = 1

[log]
level = "warning"

[providers.sendgrid]
api_key     = "SG.measured"
sender      = "Shop <shop@example.com>"
base_url    = "{service}"
concurrency = {concurrency}
"""


def write(place: Path, service: str) -> None:
    """Make a project whose only account is the service at this URL."""
    (place / "workflows").mkdir()
    (place / "workflows" / "ordered.toml").write_text(WORKFLOW)
    (place / "angarium.toml").write_text(CONFIGURATION.format(service=service, concurrency=CONCURRENCY))


def event(name: str, kind: str, number: int) -> dict[str, Any]:
    """A plain event to a person of its own, named inline."""
    person = {"id": f"user-{name}", "name": "Anna", "email": f"{name}@example.com"}
    data = {"number": number, "ballast": "x" * BALLAST}
    return {"type": kind, "id": name, "subject": f"user-{name}", "to": person, "data": data}


def wait(place: Path, count: int) -> None:
    """Let so many events wait in the broker of a project whose server is not running."""
    asyncio.run(_wait(place, count))


async def _wait(place: Path, count: int) -> None:
    clock, topics = SystemClock(), Topics()
    releases = Releases(load(read(place)))
    data = f"sqlite:///{place / 'data'}"
    async with broker.connect(f"{data}/broker.db", clock) as opened, Database(f"{data}/angarium.db") as database:
        await opened.prepare(topics.every())
        accept = Accept(opened, database, releases, topics, clock, Metrics(version="", accounts=()), Limits())
        for start in range(0, count, 1000):
            await accept.accept([_draft(number) for number in range(start, min(start + 1000, count))])


def _draft(number: int) -> Draft:
    made = event(f"waiting-{number}", TAKEN, number)
    data = Raw(msgspec.json.encode(made.pop("data")))
    return Draft(to=made.pop("to"), data=data, attributes=made)
