"""What facts make of deliveries, even those that come before their delivery is planned."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from angarium.decide.facts import SUPPRESSING, SWEEP, Change, Policy, apply, hand_over
from angarium.model.category import Category
from angarium.model.fact import Behind, Deferred, Due, Fact, Poke, Receipt, RejectedFact, SentFact, UnknownFact
from angarium.model.ids import delivery_id, notification_id, run_id
from angarium.model.reasons import Reason, Status
from angarium.model.result import Rejected
from angarium.testing import Harness
from tests.unit.test_lifecycle import ACCOUNTS, DELIVERY

NOW = 1000.0
POLICY = Policy(Category(retries=(10.0, 20.0), reconcile=120.0), ACCOUNTS, NOW)
ROW = msgspec.structs.replace(DELIVERY, token=5, expires=5000.0)
ABOUT: dict[str, Any] = {"notification": "ntf_1", "at": NOW, "delivery": "dlv_1"}
CALL: dict[str, Any] = {**ABOUT, "try_": 1, "token": 5, "account": "a"}


def make(fact: Fact, **row: Any) -> Change:
    return apply(msgspec.structs.replace(ROW, **row), fact, POLICY)


def due(hop: str) -> Due:
    return Due(notification="ntf_1", at=NOW, timer=f"dlv_1/{hop}", hop=hop)


def test_a_temporary_failure_waits_for_the_next_try() -> None:
    change = make(Deferred(**CALL, reason=Reason.unavailable))
    assert (change.delivery.status, change.delivery.try_) == (Status.waiting, 2)
    [(hop, moment)] = change.timers
    assert hop == "retry:2"
    assert NOW + 8.0 <= moment <= NOW + 12.0


def test_an_unknown_outcome_waits_for_a_report_under_its_own_try() -> None:
    change = make(UnknownFact(**CALL, reason=Reason.timeout))
    assert (change.delivery.status, change.delivery.try_) == (Status.unknown, 1)
    assert change.timers == (("reconcile:1", NOW + 120.0),)


@pytest.mark.parametrize("reason", sorted(SUPPRESSING))
def test_a_refusal_that_speaks_of_the_address_suppresses_it(reason: Reason) -> None:
    assert make(RejectedFact(**CALL, reason=reason)).suppress is reason
    assert make(Behind(**ABOUT, try_=1, answer=Rejected(reason))).suppress is reason


@pytest.mark.parametrize("reason", [Reason.too_large, Reason.template_error, Reason.unreachable, Reason.refused])
def test_a_refusal_that_speaks_of_the_message_suppresses_nothing(reason: Reason) -> None:
    change = make(RejectedFact(**CALL, reason=reason))
    assert (change.delivery.status, change.suppress) == (Status.failed, None)


def test_a_zombies_refusal_changes_and_suppresses_nothing() -> None:
    change = make(RejectedFact(**{**CALL, "token": 4}, reason=Reason.opted_out))
    assert change == Change(ROW)


def test_a_complaint_after_the_delivery_suppresses_the_address() -> None:
    told = Receipt(**ABOUT, account="a", status=Status.delivered, reason=Reason.complained, dedup="1")
    change = make(told, status=Status.delivered, reason=Reason.delivered)
    assert (change.delivery.status, change.suppress) == (Status.delivered, Reason.complained)


@pytest.mark.parametrize(
    ("hop", "status", "try_"),
    [("retry:2", Status.waiting, 2), ("busy:2", Status.sending, 2), ("reconcile:2", Status.unknown, 3)],
)
def test_a_timer_hands_over_the_try_it_was_set_for(hop: str, status: Status, try_: int) -> None:
    change = make(due(hop), status=status, try_=2)
    assert (change.handover, change.delivery.status, change.delivery.try_) == (True, Status.sending, try_)
    assert change.delivery.deadline == NOW + SWEEP


@pytest.mark.parametrize("hop", ["retry:1", "retry:2", "reconcile:1", "nonsense", "retry:", "delay:0"])
def test_a_timer_of_something_else_changes_nothing(hop: str) -> None:
    assert make(due(hop)) == Change(ROW)


def test_a_try_that_comes_due_too_late_expires() -> None:
    change = make(due("retry:2"), status=Status.waiting, try_=2, expires=NOW)
    assert (change.delivery.status, change.handover) == (Status.expired, False)


def test_a_fact_about_something_else_changes_nothing() -> None:
    assert make(Poke(notification="ntf_1", at=NOW)) == Change(ROW)


def test_a_hand_over_says_when_it_is_published_again() -> None:
    assert hand_over(ROW, 2, NOW).deadline == NOW + SWEEP


PROJECT = {
    "workflows/note.toml": b'on = "note"\nsteps = [{ send = "sms" }]\nsms = { text = "note" }\n',
    "workflows/code.toml": b"""
on = "code"
steps = [{ first_of = ["sms", "email"], within = "10s" }]
sms = { text = "code" }
email = { subject = "s", text = "t" }
""",
}
ANNA = {"id": "anna", "phone": "+15005550006", "email": "anna@example.com"}


async def begin(harness: Harness, type_: str) -> str:
    """An event has come, and nothing is decided; the id of its notification."""
    await harness.publish(type_, to=ANNA, id="e1", source="/s", settle=False)
    return notification_id(run_id("default", "/s", "e1", type_), "anna", harness.clock.now())


async def standings(harness: Harness) -> list[tuple[str, Status]]:
    return [(d.channel, d.status) for d in await harness.deliveries()]


@pytest.mark.parametrize("first", [True, False])
async def test_a_sent_that_is_told_early_is_not_called_again(first: bool) -> None:
    """A ledger that was restored reads its journal again. `first`: even before the notification is known."""
    async with Harness(PROJECT) as harness:
        name = await begin(harness, "note")
        if not first:
            await harness.router.step()
        delivery = delivery_id(name, "0", "sms")
        await harness.tell(SentFact(**{**CALL, "notification": name, "delivery": delivery, "account": "sms"}))
        if first:
            await harness.dispatcher.step()
        await harness.settle()
        assert harness.messages("sms") == []
        assert await standings(harness) == [("sms", Status.sent)]


async def test_early_facts_lead_through_the_whole_plan() -> None:
    async with Harness(PROJECT) as harness:
        name = await begin(harness, "code")
        await harness.router.step()
        sms, email = delivery_id(name, "0", "0"), delivery_id(name, "0", "1")
        about = {**CALL, "notification": name}
        await harness.tell(SentFact(**{**about, "delivery": email, "account": "email"}))
        refused = {**about, "delivery": sms, "account": "sms"}
        await harness.tell(RejectedFact(**refused, reason=Reason.unreachable))
        await harness.settle()
        assert await standings(harness) == [("sms", Status.failed), ("email", Status.sent)]
        assert harness.messages("sms") == harness.messages("email") == []
        await harness.advance("9s")
        assert await standings(harness) == [("sms", Status.failed), ("email", Status.sent)]


async def test_an_early_deferral_waits_for_its_timer() -> None:
    async with Harness(PROJECT) as harness:
        name = await begin(harness, "note")
        await harness.router.step()
        about = {**CALL, "notification": name, "delivery": delivery_id(name, "0", "sms"), "account": "sms"}
        await harness.tell(Deferred(**about, reason=Reason.unavailable))
        await harness.settle()
        assert (await standings(harness), harness.messages("sms")) == ([("sms", Status.waiting)], [])
        await harness.advance("3s")
        assert (await standings(harness), len(harness.messages("sms"))) == ([("sms", Status.sent)], 1)


async def test_whoever_opted_out_at_the_call_is_not_called_again() -> None:
    async with Harness(PROJECT) as harness:
        harness.answer("sms", Rejected(Reason.opted_out))
        await harness.publish("note", to=ANNA)
        await harness.publish("note", to=ANNA)
        assert len(harness.messages("sms")) == 1
        last = sorted(await harness.deliveries(), key=lambda d: d.status)[-1]
        assert (last.status, last.reason) == (Status.skipped, Reason.suppressed)
