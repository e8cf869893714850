"""Walking a plan: fallbacks of each person, silences that are believed by what is stored, and an end for everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from angarium.decide import patience
from angarium.decide.choose import Account, Accounts
from angarium.decide.gate import Permissions
from angarium.decide.steps import Decision, World, evaluate
from angarium.expressions import Expressions
from angarium.model.category import Category
from angarium.model.delivery import Delivery
from angarium.model.notification import Notification
from angarium.model.reasons import Priority, Progress, Reason, Status
from angarium.model.result import Rejected, Unknown
from angarium.model.user import Person
from angarium.model.workflow import Delay, FirstOf, Plan, Send, Step
from angarium.testing import Harness

NOW = 1_700_000_000.0
HOUR = 3600.0
CATEGORY = Category(expires=HOUR)
ACCOUNTS = Accounts(
    {name: Account(name, (name,), receipts=True) for name in ("sms", "email")}, {"sms": ("sms",), "email": ("email",)}
)
ANNA = Person(id="anna", email="anna@example.com", phone="+15005550006")
BOB = Person(id="bob", email="bob@example.com", phone="+15005550007")
QUICK = FirstOf(channels=("sms", "email"), within=10.0)
PATIENT = FirstOf(channels=("sms", "email"), until=Status.delivered)
Rows = Mapping[str, Delivery]


def notification(**changes: Any) -> Notification:
    empty = Raw(b"{}")
    fields: dict[str, Any] = {
        "id": "ntf_1", "tenant": "default", "run": "run_1", "user": "anna", "workflow": "w", "release": "rel_1",
        "category": "default", "priority": Priority.normal, "locale": "", "plan": empty, "event": empty,
        "person": empty, "accepted": NOW, "started": NOW,
    }  # fmt: skip
    return Notification(**fields | changes)


def decide(
    *steps: Step,
    rows: Rows | None = None,
    at: float = 0.0,
    hops: tuple[str, ...] = (),
    touched: tuple[str, ...] = (),
    accounts: Accounts = ACCOUNTS,
    **progress: Any,
) -> Decision:
    """One evaluation `at` seconds after the event; `touched` names channels."""
    rows = rows or {}
    world = World(
        person=ANNA,
        people={"anna": ANNA, "bob": BOB},
        accounts=accounts,
        permissions=Permissions(),
        expressions=Expressions(),
        context={},
        cancelled=None,
        now=NOW + at,
    )
    names = frozenset(row.id for row in rows.values() if row.channel in touched)
    plan = Plan(steps=steps, category=CATEGORY)
    return evaluate(notification(**progress), plan, rows, frozenset(hops), names, world)


def planned(*steps: Step) -> Rows:
    return decide(*steps).changed


def moved(rows: Rows, channel: str, **changes: Any) -> Rows:
    """The rows with those of a channel changed. `sent` is seconds after the event."""
    if "sent" in changes:
        changes["sent"] += NOW
    return {n: msgspec.structs.replace(r, **changes) if r.channel == channel else r for n, r in rows.items()}


def standings(rows: Rows) -> list[tuple[str, Status]]:
    return sorted((row.channel, row.status) for row in rows.values())


def waits(decision: Decision) -> list[tuple[str, float]]:
    return [(hop, due - NOW) for _, hop, due in decision.timers]


def test_a_slot_that_is_not_sent_has_twice_as_long() -> None:
    assert waits(decide(QUICK)) == [("silence:0:0", 20.0)]


def test_silence_counts_from_the_moment_the_service_has_it() -> None:
    sent = moved(planned(QUICK), "sms", status=Status.sent, sent=15.0)
    assert waits(decide(QUICK, rows=sent, at=15.0, touched=("sms",))) == [("silence:0:0", 25.0)]


def test_silence_counts_from_the_moment_the_service_may_have_it() -> None:
    unknown = moved(planned(QUICK), "sms", status=Status.unknown)
    heard = decide(QUICK, rows=unknown, at=15.0, touched=("sms",))
    assert waits(heard) == [("silence:0:0", 25.0)]

    rows = {**unknown, **heard.changed}
    assert standings(decide(QUICK, rows=rows, at=20.0, hops=("silence:0:0",)).changed) == []
    assert ("email", Status.sending) in standings(decide(QUICK, rows=rows, at=25.0, hops=("silence:0:0",)).changed)


def test_silence_starts_anew_for_what_was_delivered_at_once_and_must_be_read() -> None:
    step = FirstOf(channels=("sms", "email"), within=10.0, until=Status.read)
    delivered = moved(planned(step), "sms", status=Status.delivered, sent=19.0)
    assert waits(decide(step, rows=delivered, at=19.0, touched=("sms",))) == [("silence:0:0", 29.0)]


def test_a_silence_leased_before_it_was_moved_ends_nothing_and_is_set_again() -> None:
    sent = moved(planned(QUICK), "sms", status=Status.sent, sent=20.0)
    decision = decide(QUICK, rows=sent, at=20.0, hops=("silence:0:0",))
    assert (decision.changed, waits(decision)) == ({}, [("silence:0:0", 30.0)])


def test_a_silence_ends_its_slot_even_if_no_timer_tells_it() -> None:
    sent = moved(planned(QUICK), "sms", status=Status.sent, sent=5.0)
    assert decide(QUICK, rows=sent, at=14.0).changed == {}
    assert standings(decide(QUICK, rows=sent, at=15.0).changed) == [("email", Status.sending)]


def test_a_delay_is_over_when_it_is_stored_to_be_over() -> None:
    step = Delay(seconds=60.0)
    assert waits(decide(step)) == [("delay:0", 60.0)]
    early = decide(step, at=50.0, hops=("delay:0",), due=NOW + 60.0)
    assert (early.notification.status, waits(early)) == (Progress.running, [("delay:0", 60.0)])
    assert decide(step, at=60.0, hops=("delay:0",), due=NOW + 60.0).notification.status is Progress.done
    assert decide(step, at=61.0, due=NOW + 60.0).notification.status is Progress.done


def test_a_hop_counts_although_another_machine_is_a_moment_behind() -> None:
    behind = 60.0 - patience.CLOSE / 2
    assert decide(Delay(seconds=60.0), at=behind, due=NOW + 60.0).notification.status is Progress.done


def test_everybody_named_falls_back_by_themselves() -> None:
    step = msgspec.structs.replace(QUICK, to=[{"id": "anna"}, {"id": "bob"}])
    first = decide(step)
    assert waits(first) == [("silence:0:0:anna", 20.0), ("silence:0:0:bob", 20.0)]

    annas = {
        n: msgspec.structs.replace(r, status=Status.delivered) for n, r in first.changed.items() if r.user == "anna"
    }
    bobs = {n: msgspec.structs.replace(r, status=Status.failed) for n, r in first.changed.items() if r.user == "bob"}
    second = decide(step, rows={**annas, **bobs}, at=1.0)
    assert [(row.user, row.channel) for row in second.changed.values()] == [("bob", "email")]
    assert second.notification.step == 0

    rows = moved({**annas, **bobs, **second.changed}, "email", status=Status.delivered)
    assert decide(step, rows=rows, at=2.0).notification.status is Progress.done


def test_a_slot_without_within_waits_for_its_report_until_it_is_of_no_use() -> None:
    sent = moved(planned(PATIENT), "sms", status=Status.sent, sent=1.0)
    assert decide(PATIENT, rows=sent, at=HOUR - 60).notification.status is Progress.running

    over = decide(PATIENT, rows=sent, at=HOUR)
    assert standings(over.changed) == [("email", Status.expired)]
    assert (over.notification.status, over.notification.reason) == (Progress.expired, Reason.expired)


def test_all_slots_of_a_step_expire_together_even_after_a_delay() -> None:
    steps = (Delay(seconds=1.0), PATIENT)
    first = decide(*steps, at=HOUR, step=1)
    sent = moved(first.changed, "sms", status=Status.sent, sent=HOUR + 1)
    over = decide(*steps, rows=sent, at=2 * HOUR, step=1)
    assert [row.expires - NOW for row in first.changed.values()] == [2 * HOUR]
    assert standings(over.changed) == [("email", Status.expired)]


def test_a_message_that_arrived_makes_it_done_whatever_else_expired() -> None:
    rows = planned(Send(channels=("sms", "email")))
    rows = moved(moved(rows, "sms", status=Status.sent, sent=1.0), "email", status=Status.expired)
    over = decide(Send(channels=("sms", "email")), rows=rows, at=HOUR, step=1)
    assert (over.notification.status, over.notification.reason) == (Progress.done, None)


@pytest.mark.parametrize("status", [Status.sending, Status.waiting, Status.unknown])
def test_what_is_open_long_after_it_expired_ends(status: Status) -> None:
    step = Send(channels=("sms",))
    rows = moved(planned(step), "sms", status=status, deadline=None if status is not Status.sending else NOW + 9e9)
    assert decide(step, rows=rows, at=HOUR + patience.GRACE - 1, step=1).changed == {}
    over = decide(step, rows=rows, at=HOUR + patience.GRACE, step=1)
    assert standings(over.changed) == [("sms", Status.expired)]
    assert over.notification.status is Progress.expired


def test_what_is_parked_waits_for_a_person_as_long_as_that_takes() -> None:
    step = Send(channels=("sms",))
    rows = moved(planned(step), "sms", status=Status.parked)
    over = decide(step, rows=rows, at=9 * HOUR, step=1)
    assert (over.changed, over.notification.status) == ({}, Progress.done)


def test_an_outcome_that_is_still_to_be_looked_into_is_not_overdue() -> None:
    step = Send(channels=("sms",))
    rows = moved(planned(step), "sms", status=Status.unknown, due=NOW + 2 * HOUR)
    assert decide(step, rows=rows, at=2 * HOUR, step=1).changed == {}


def test_a_hand_over_that_nobody_answered_is_published_again_while_there_is_an_account() -> None:
    step, rows = Send(channels=("sms",)), planned(Send(channels=("sms",)))
    assert decide(step, rows=rows, at=899.0, step=1).handovers == ()
    assert decide(step, rows=rows, at=900.0, step=1).handovers == tuple(rows)

    gone = decide(step, rows=rows, at=900.0, step=1, accounts=Accounts({}, {}))
    assert [(row.status, row.reason) for row in gone.changed.values()] == [(Status.failed, Reason.unavailable)]
    assert (gone.handovers, gone.notification.status) == ((), Progress.done)


PROJECT = {
    "workflows/until.toml": b"""
on = "until"
category = "short"
steps = [{ first_of = ["sms", "email"], until = "delivered" }]
sms = { text = "note" }
email = { subject = "s", text = "t" }
""",
    "workflows/both.toml": b"""
on = "both"
steps = [{ first_of = ["sms", "email"], to = "{{ data.people }}" }]
sms = { text = "note" }
email = { subject = "s", text = "t" }
""",
    "workflows/quick.toml": b"""
on = "quick"
steps = [{ first_of = ["sms", "email"], within = "10s" }]
sms = { text = "note" }
email = { subject = "s", text = "t" }
""",
    "workflows/note.toml": b'on = "note"\nsteps = [{ send = "sms" }]\nsms = { text = "note" }\n',
    "categories.toml": b'[short]\nexpires = "1h"\n',
}
TO = {"id": "anna", "email": "anna@example.com", "phone": "+15005550006"}
TO_BOB = {"id": "bob", "email": "bob@example.com", "phone": "+15005550007"}


async def told(harness: Harness) -> list[tuple[str, Status, Reason | None]]:
    return [(d.channel, d.status, d.reason) for d in await harness.deliveries()]


async def test_a_report_that_never_comes_does_not_keep_a_notification_for_ever() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("until", to=TO)
        await harness.advance("2h")
        assert sorted(await told(harness)) == [
            ("email", Status.expired, Reason.expired),
            ("sms", Status.sent, Reason.accepted),
        ]
        assert [n.status for n in await harness.notifications()] == [Progress.expired]


async def test_one_person_who_is_reached_does_not_end_the_fallback_of_another() -> None:
    async with Harness(PROJECT) as harness:
        harness.answer("sms", Rejected(Reason.unreachable))
        await harness.publish("both", to=TO, data={"people": [TO, TO_BOB]})
        found = {(d.user, d.channel): d.status for d in await harness.deliveries()}
        [refused] = [user for (user, _), status in found.items() if status is Status.failed]
        assert found[refused, "email"] is Status.sent
        assert len(found) == 3


async def test_a_timer_that_was_on_its_way_does_not_end_a_slot_just_sent() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("quick", to=TO, settle=False)
        await harness.router.step()
        await harness.dispatcher.step()
        harness.clock.advance(20.0)
        await harness.senders["sms", Priority.normal].step()
        await harness.timers.step()
        while await harness.dispatcher.step():
            pass
        assert [d.channel for d in await harness.deliveries()] == ["sms"]
        await harness.advance("9s")
        assert [d.channel for d in await harness.deliveries()] == ["sms"]
        await harness.advance("1s")
        assert [d.channel for d in await harness.deliveries()] == ["sms", "email"]


async def test_an_unknown_slot_gives_way_after_its_silence() -> None:
    async with Harness(PROJECT) as harness:
        harness.answer("sms", Unknown(Reason.timeout))
        await harness.publish("quick", to=TO)
        await harness.advance("9s")
        assert len(harness.messages("email")) == 0
        await harness.advance("1s")
        assert len(harness.messages("email")) == 1


async def test_a_channel_that_lost_its_accounts_ends_what_was_handed_to_it() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("note", to=TO, settle=False)
        await harness.router.step()
        await harness.dispatcher.step()
        named = {name: account for name, account in harness._accounts.by_name.items() if name != "sms"}
        harness._accounts = Accounts(named, {**harness._accounts.by_channel, "sms": ()})
        await harness.start()
        await harness.advance("1h")
        assert await told(harness) == [("sms", Status.failed, Reason.unavailable)]
        assert [n.status for n in await harness.notifications()] == [Progress.done]
