"""Each row that is taken away from a pipeline that worked is a hole that the audit names."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from angarium.database.audit import Kept, Part
from angarium.model.fact import Due
from angarium.model.reasons import Priority, Progress, Reason, Status
from angarium.model.result import Retry, Unknown
from angarium.pipeline import checks
from angarium.pipeline.handler import letter
from angarium.testing import Harness
from tests.unit.audited import ANNA, PROJECT, a_bit_of_everything, break_, holes, look, stored


async def test_an_event_in_the_middle_that_nobody_decided_is_a_hole() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("nobody.listens", id="e1", source="/shop")
        await harness.publish("nobody.listens", id="e2", source="/shop")
        await harness.publish("nobody.listens", id="e3", source="/shop", settle=False)
        await break_(harness, "DELETE FROM events WHERE id = 'e1'")

        topic = harness.topics.events(Priority.normal)
        problem = f"record 1 of partition 0 of {topic} was passed by, and nothing was decided (source /shop)"
        assert await holes(harness) == [("event", "e1", problem)]
        assert (await look(harness)).events.unread == 1


async def test_the_last_event_is_a_hole_when_the_router_is_done_with_it() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("nobody.listens", id="e1")
        await harness.publish("nobody.listens", id="e2")
        await break_(harness, "DELETE FROM events WHERE id = 'e2'")

        assert [(what, name) for what, name, _ in await holes(harness)] == [("event", "e2")]


async def test_a_record_that_cannot_be_read_and_has_no_dead_letter_is_a_hole() -> None:
    async with Harness(PROJECT) as harness:
        await a_bit_of_everything(harness)
        [(name,)] = await stored(harness, "SELECT id FROM dead")
        await break_(harness, "DELETE FROM dead")

        [(what, found, problem)] = await holes(harness)
        assert (what, found) == ("event", name)
        assert problem.endswith("cannot be read, and is not among the dead letters")


async def test_a_run_that_is_missing_is_a_hole_of_its_event() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=ANNA, id="e1", source="/shop")
        await break_(harness, "DELETE FROM runs")

        problem = "it says that it has 1 runs, and 0 are stored (source /shop)"
        assert await holes(harness) == [("event", "e1", problem)]


async def test_a_notification_that_is_missing_is_a_hole_of_its_run() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=[ANNA, "bo"])
        [run] = {notification.run for notification in await harness.notifications()}
        await break_(harness, "DELETE FROM notifications WHERE user = 'bo'")

        assert await holes(harness) == [("run", run, "it named 2 notifications, and 1 are in the ledger")]


async def test_a_notification_in_the_place_of_another_is_a_hole_of_its_run() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("code.asked", to=ANNA)
        [notification] = await harness.notifications()
        await break_(harness, "UPDATE notifications SET id = 'ntf_other'")
        await break_(harness, "UPDATE deliveries SET notification = 'ntf_other'")
        await break_(harness, "UPDATE timers SET id = 'ntf_other/' || hop")

        problem = "it named 1 notifications, and the ledger holds others"
        assert await holes(harness) == [("run", notification.run, problem)]


async def test_a_notification_that_is_missing_while_its_facts_are_under_way_is_none() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=ANNA)
        await harness.publish("user.signed_up", to=ANNA, settle=False)
        await break_(harness, "DELETE FROM notifications")
        assert (await look(harness)).ok

        await harness.settle()
        assert not (await look(harness)).ok


async def test_a_notification_whose_start_is_a_dead_letter_is_accounted_for() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=[ANNA, "bo"])
        async with harness.broker.consumer([harness.topics.journal(Priority.normal)], "look") as consumer:
            started = {record.key: record for record in await consumer.poll(10, 0) if b'"started"' in record.value}
        buried = [letter(record, Reason.handler_error, "", 0.0) for record in started.values()]

        for name, dead in zip(started, buried, strict=True):
            await break_(harness, "DELETE FROM notifications WHERE id = ?", name)
            assert len(await holes(harness)) == 1
            await break_(harness, *_insert(dead))
            assert await holes(harness) == []
        await break_(harness, "UPDATE dead SET replayed = 1.0")
        assert len(await holes(harness)) == 1


def _insert(dead: Any) -> tuple[Any, ...]:
    fields = msgspec.structs.asdict(dead)
    names = ", ".join(f'"{name}"' for name in fields)
    return (f"INSERT INTO dead ({names}) VALUES ({', '.join('?' * len(fields))})", *fields.values())


async def test_a_channel_of_a_step_that_is_over_without_a_delivery_is_a_hole() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=ANNA)
        [notification] = await harness.notifications()
        await break_(harness, "DELETE FROM deliveries WHERE channel = 'inbox'")

        problem = "step 0 is over, and inbox has no delivery"
        assert await holes(harness) == [("notification", notification.id, problem)]


async def test_a_first_of_that_is_over_without_any_delivery_is_a_hole() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("code.asked", to=ANNA)
        [sms] = await harness.deliveries()
        await harness.report(sms, Status.delivered)
        assert await holes(harness) == []

        await break_(harness, "DELETE FROM deliveries")
        problem = "step 0 is over, and any of its channels has no delivery"
        assert await holes(harness) == [("notification", sms.notification, problem)]


@pytest.mark.parametrize("plan", ["free", "basic", "pro"])
async def test_steps_that_were_passed_over_or_stopped_are_no_holes(plan: str) -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("trial.started", to=ANNA, data={"plan": plan})
        await harness.advance("1d")

        assert await holes(harness) == []
        assert (await look(harness)).complete


async def test_a_step_whose_note_is_missing_is_a_hole() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("trial.started", to=ANNA, data={"plan": "basic"})
        await harness.advance("1d")
        [notification] = await harness.notifications()
        await break_(harness, "DELETE FROM timeline WHERE kind = 'step' AND detail LIKE 'step 2%'")

        problem = "step 2 is over, and sms has no delivery"
        assert await holes(harness) == [("notification", notification.id, problem)]


@pytest.mark.parametrize(
    ("answer", "status"), [(Retry(Reason.overloaded), "waiting"), (Unknown(Reason.timeout), "unknown")]
)
async def test_a_delivery_that_waits_without_a_timer_is_a_hole(answer: Any, status: str) -> None:
    async with Harness(PROJECT) as harness:
        harness.answer("email", answer)
        await harness.publish("user.signed_up", to=ANNA)
        assert await holes(harness) == []

        [email] = [row for row in await harness.deliveries() if row.status is Status(status)]
        await break_(harness, "DELETE FROM timers")
        assert ("delivery", email.id, f"it is {status}, and nothing will move it") in await holes(harness)


async def test_a_delivery_whose_timer_is_already_in_the_journal_is_none() -> None:
    async with Harness(PROJECT) as harness:
        harness.answer("email", Retry(Reason.overloaded))
        await harness.publish("user.signed_up", to=ANNA)
        [(timer, hop, owner)] = await stored(harness, "SELECT id, hop, notification FROM timers")
        await break_(harness, "DELETE FROM timers")
        await harness.tell(Due(notification=owner, at=harness.clock.now(), timer=timer, hop=hop))

        found = await look(harness)
        assert (found.ok, found.complete) == (True, False)
        await harness.settle()
        found = await look(harness)
        assert (found.ok, found.complete) == (True, True)


async def test_a_delivery_with_a_sender_that_nobody_will_ask_about_again_is_a_hole() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=ANNA, settle=False)
        await harness.router.step()
        await harness.dispatcher.step()
        assert await holes(harness) == []

        await break_(harness, "UPDATE notifications SET deadline = NULL")
        found = {(what, problem) for what, _, problem in await holes(harness)}
        assert found == {("delivery", "it is sending, and nothing will move it")}


async def test_an_open_delivery_of_a_notification_that_is_over_is_a_hole() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=ANNA)
        [email, _] = await harness.deliveries()
        await break_(harness, "UPDATE deliveries SET status = 'waiting' WHERE id = ?", email.id)

        assert await holes(harness) == [("delivery", email.id, "its notification is done, and it is waiting")]


async def test_a_delay_without_a_timer_is_a_hole() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("trial.started", to=ANNA, data={"plan": "pro"})
        [notification] = await harness.notifications()
        await break_(harness, "DELETE FROM timers")

        problem = "it waits for the end of a delay, and no timer tells it"
        assert await holes(harness) == [("notification", notification.id, problem)]


async def test_a_silence_without_a_timer_is_a_hole() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("code.asked", to=ANNA)
        [notification] = await harness.notifications()
        await break_(harness, "DELETE FROM timers")

        problem = "it is running, and nothing will move it"
        assert await holes(harness) == [("notification", notification.id, problem)]


def test_a_delivery_that_moved_since_the_first_look_is_not_the_same_suspect() -> None:
    """Between two looks it may have left one wait and come into another."""
    suspects = [list(checks.notification(waiting(version))) for version in (1, 1, 2)]

    assert len(suspects[0]) == 1
    assert suspects[0] == suspects[1] != suspects[2]


def waiting(version: int) -> Kept:
    part = Part("dlv_1", "0", "email", "email", Status.waiting, Reason.overloaded, 2, version)
    return Kept(
        id="ntf_1",
        step=1,
        status=Progress.running,
        due=None,
        deadline=1.0,
        plan=b'{"steps":[{"do":"send","channels":["email"]}]}',
        parts=(part,),
        noted=frozenset(),
        hops={},
    )
