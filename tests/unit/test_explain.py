"""Explaining: what the pipeline stored is told back, for every way a message is or is not sent."""

from __future__ import annotations

from typing import Any

import msgspec

from angarium.model import times
from angarium.model.reasons import Outcome, Priority, Progress, Reason, Status
from angarium.model.result import Rejected, Retry, Unknown
from angarium.pipeline.explain import Explanation, explain
from angarium.ports.broker import Record
from angarium.testing import Harness
from tests.unit import audited
from tests.unit.audited import ANNA

BOTH = b"""
on = "user.signed_up"
steps = [{ send = ["email", "sms"] }]
email = { subject = "Welcome", text = "Hello" }
sms = { text = "Hello" }
"""
QUICK = b"""
on = "quick.asked"
steps = [{ first_of = ["sms", "email"] }]
sms = { text = "Quick" }
email = { subject = "Quick", text = "1" }
"""
NOBODY = b"""
on = "order.shipped"
to = "{{ data.customer }}"
steps = [{ send = "email" }]
email = { subject = "Shipped", text = "It is" }
"""
PROJECT = {
    **audited.PROJECT,
    "workflows/welcome.toml": BOTH,
    "workflows/quick.toml": QUICK,
    "workflows/nobody.toml": NOBODY,
}


async def ask(harness: Harness, **question: Any) -> Explanation:
    return await explain(harness.database, **{"tenant": "default", "now": harness.clock.now(), **question})


async def told(harness: Harness, **question: Any) -> list[str]:
    """The sentences about the one notification that fits."""
    [story] = (await ask(harness, **question)).notifications
    return [decision.sentence for decision in story.decisions]


async def test_a_message_is_told_with_account_try_and_time_to_delivery() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to={"id": "bo", "email": "bo@example.com"}, id="e7")
        harness.clock.advance(2.5)
        [email, _] = await harness.deliveries()
        await harness.report(email, Status.delivered)

        [story] = (await ask(harness, recipient="bo")).notifications
        assert [d.sentence for d in story.decisions] == [
            "email: sent by email on try 1, delivered 2.5 s after the event",
            "sms: skipped, there is no address for it",
        ]
        assert (story.status, story.sentence) == (Progress.done, "done, every step was done")
        [first, _] = story.decisions
        assert (story.event, story.type) == ("e7", "user.signed_up")
        assert (first.step, first.channel, first.address, first.tries) == ("0", "email", "b***@example.com", 1)


async def test_the_timeline_is_in_the_order_of_time() -> None:
    async with Harness(PROJECT) as harness:
        harness.answer("sms", Retry(Reason.overloaded))
        await harness.publish("quick.asked", to=ANNA)
        await harness.advance("5s")

        [story] = (await ask(harness, recipient="anna")).notifications
        assert [(e.kind, e.reason) for e in story.timeline] == [
            ("started", None),
            ("deferred", Reason.overloaded),
            ("due", None),
            ("sent", None),
        ]
        assert [e.at for e in story.timeline] == sorted(e.at for e in story.timeline)
        assert times.seconds(story.timeline[0].at) == times.seconds(story.started)


async def test_a_channel_whose_turn_has_not_come_names_who_has_until_when() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("code.asked", to=ANNA)
        until = times.text(harness.clock.now() + 10)

        assert await told(harness, recipient="anna") == [
            "sms: sent by sms on try 1, 0 s after the event",
            f"email: not tried yet, sms has until {until}",
        ]


async def test_a_channel_that_was_not_needed_names_the_one_that_came_first() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("code.asked", to=ANNA)
        [sms] = await harness.deliveries()
        await harness.report(sms, Status.delivered)
        assert (await told(harness, recipient="anna"))[1] == "email: not tried, sms reached the person first"

        await harness.publish("quick.asked", to={**ANNA, "id": "ben"})
        assert (await told(harness, recipient="ben"))[1] == "email: not tried, sms was sent first"


async def test_a_channel_that_is_not_tried_while_another_is_under_way_says_so() -> None:
    async with Harness(PROJECT) as harness:
        harness.answer("sms", Retry(Reason.overloaded))
        await harness.publish("quick.asked", to=ANNA)

        assert (await told(harness, recipient="anna"))[1] == "email: not tried yet, it is the turn of sms"


async def test_a_silent_channel_is_told_and_the_next_one_follows() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("code.asked", to=ANNA)
        await harness.advance("11s")

        assert await told(harness, recipient="anna") == [
            "sms: sent by sms on try 1, 0 s after the event",
            "email: sent by email on try 1, 10 s after the event",
        ]


async def test_steps_behind_a_delay_tell_what_they_wait_for() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("trial.started", to=ANNA, data={"plan": "pro"})
        due = times.text(harness.clock.now() + 86400)

        assert await told(harness, recipient="anna") == [
            "email: sent by email on try 1, 0 s after the event",
            f"step 1 (delay): waits until {due}",
            f"step 2 (sms): waits until {due}",
            f"step 3 (stop): waits until {due} at least",
            f"step 4 (inbox): waits until {due} at least",
        ]
        [story] = (await ask(harness, recipient="anna")).notifications
        assert story.sentence == f"running, waits until {due}"


async def test_a_condition_that_was_false_is_told() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("trial.started", to=ANNA, data={"plan": "basic"})
        await harness.advance("1d")

        assert (await told(harness, recipient="anna"))[1:] == [
            "step 1 (delay): waited 1 d",
            "step 2 was passed over, its condition is false",
            "step 3 was passed over, its condition is false",
            "inbox: sent by inbox on try 1, 1 d after the event",
        ]


async def test_what_a_stop_kept_from_being_sent_is_told() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("trial.started", to=ANNA, data={"plan": "free"})
        await harness.advance("1d")

        assert (await told(harness, recipient="anna"))[3:] == [
            "step 3 (stop): ended the plan, free plans hear no more",
            "step 4 (inbox): not reached, a stop step ended the plan",
        ]


async def test_what_a_cancel_kept_from_being_sent_is_told() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("trial.started", to=ANNA, data={"plan": "pro"})
        [n] = await harness.notifications()
        await harness.database.write(_cancel, n.id)
        await harness.advance("1d")

        [story] = (await ask(harness, recipient="anna")).notifications
        assert story.sentence == "cancelled, it was cancelled"
        assert story.decisions[2].sentence == "step 2 (sms): not reached, it was cancelled"


def _cancel(connection: Any, name: str) -> None:
    row = ("default", "notification", name, "cancelled", "test", 0.0)
    connection.exec_driver_sql("INSERT INTO cancels VALUES (?, ?, ?, ?, ?, ?)", row)


async def test_a_parked_message_waits_for_a_person() -> None:
    async with Harness(PROJECT) as harness:
        harness.answer("email", Unknown(Reason.reset_after_write))
        await harness.publish("trial.started", to=ANNA, data={"plan": "pro"})

        assert (await told(harness, recipient="anna"))[0] == (
            "email: parked, try 1 may have been sent, the connection broke before the answer; "
            "only a person may send it again"
        )


async def test_a_first_of_that_reached_nobody_tells_each_failure() -> None:
    async with Harness(PROJECT) as harness:
        harness.answer("sms", Rejected(Reason.bad_address))
        await harness.publish("quick.asked", to={"id": "cy", "phone": "+15005550006"})

        assert await told(harness, recipient="cy") == [
            "sms: failed by sms on try 1: the service says that there is no such address",
            "email: skipped, there is no address for it",
        ]


async def test_an_event_is_told_with_its_runs_and_their_notifications() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=[ANNA, "bo"], id="e1", source="/shop")
        await harness.publish("user.signed_up", to=ANNA, id="e2", source="/shop")

        found = await ask(harness, event="e1", source="/shop")
        [event] = found.events
        assert (event.outcome, event.sentence) == (Outcome.matched, "started welcome")
        assert [(run.workflow, run.recipients, run.sentence) for run in event.runs] == [("welcome", 2, "2 recipients")]
        assert {story.user for story in found.notifications} == {"anna", "bo"}
        assert {story.run for story in found.notifications} == {event.runs[0].id}


async def test_filters_combine() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=[ANNA, "bo"], id="e1", source="/shop")
        await harness.publish("user.signed_up", to=ANNA, id="e2", source="/shop")

        assert [s.user for s in (await ask(harness, event="e1", recipient="bo")).notifications] == ["bo"]
        [story] = (await ask(harness, event="e2")).notifications
        assert (await ask(harness, notification=story.id, recipient="bo")).notifications == ()
        assert (await ask(harness, notification=story.id, event="e2", recipient="anna")).notifications == (story,)


async def test_events_of_one_id_are_told_apart_by_their_source() -> None:
    async with Harness(PROJECT) as harness:
        for source in ("/a", "/b"):
            await harness.publish("user.signed_up", to=ANNA, id="e1", source=source)

        assert [event.source for event in (await ask(harness, event="e1")).events] == ["/a", "/b"]
        narrow = await ask(harness, event="e1", source="/b")
        assert [event.source for event in narrow.events] == ["/b"]
        assert len(narrow.notifications) == 1


async def test_the_newest_notifications_come_first_and_more_are_announced() -> None:
    async with Harness(PROJECT) as harness:
        for number in range(3):
            await harness.publish("user.signed_up", to=ANNA, id=f"e{number}")
            await harness.advance("1s")

        found = await ask(harness, recipient="anna", limit=2)
        assert found.more
        assert [s.started for s in found.notifications] == sorted(
            (s.started for s in found.notifications), reverse=True
        )
        assert not (await ask(harness, recipient="anna", limit=3)).more


async def test_an_event_that_nobody_listens_to_names_the_nearest_type() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signedup", to=ANNA, id="e1")

        [event] = (await ask(harness, event="e1", types=["user.signed_up", "order.shipped"])).events
        assert event.outcome is Outcome.unmatched
        assert event.sentence == "no workflow listens to user.signedup: did you mean user.signed_up?"


async def test_a_run_that_names_nobody_tells_why() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("order.shipped", id="e1", data={"customer": None})

        found = await ask(harness, event="e1")
        [run] = found.events[0].runs
        assert (run.recipients, run.reason) == (0, Reason.no_recipient)
        assert run.sentence == "0 recipients, nobody who can be used was named"
        assert found.notifications == ()


async def test_an_id_that_nobody_knows_is_told_so() -> None:
    async with Harness(PROJECT) as harness:
        [event] = (await ask(harness, event="e404", source="/shop")).events

        assert (event.id, event.source, event.outcome) == ("e404", "/shop", None)
        assert event.sentence.startswith("not known here")


async def test_an_event_that_cannot_be_read_is_found_among_the_dead_letters() -> None:
    async with Harness(PROJECT) as harness:
        record = Record(harness.topics.events(Priority.normal), "anna", b'{"id":"e1","source":7}')
        await harness.broker.publish([record])
        await harness.settle()

        [event] = (await ask(harness, event="e1")).events
        assert event.outcome is Outcome.dead
        assert "the record cannot be read" in event.sentence


async def test_an_event_whose_worker_failed_is_found_under_its_own_source_alone() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=ANNA, id="e1", source="/shop")
        await harness.database.write(_bury_event, await _event_record(harness))

        [event] = (await ask(harness, event="e1", source="/shop")).events
        assert (event.source, event.outcome) == ("/shop", Outcome.dead)
        assert "made its worker fail" in event.sentence
        [other] = (await ask(harness, event="e1", source="/other")).events
        assert other.outcome is None


async def _event_record(harness: Harness) -> Record:
    async with harness.broker.consumer([harness.topics.events(Priority.normal)], "look") as consumer:
        return (await consumer.poll(10, 0))[-1]


def _bury_event(connection: Any, record: Record) -> None:
    connection.exec_driver_sql("DELETE FROM events")
    row = (
        "dead_1",
        "default",
        record.topic,
        0,
        record.offset,
        record.key,
        record.value,
        "handler_error",
        "",
        0.0,
        None,
    )
    connection.exec_driver_sql(f"INSERT INTO dead VALUES ({', '.join('?' * 11)})", row)


async def test_another_tenant_is_told_nothing() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=ANNA, id="e1")
        [story] = (await ask(harness, event="e1")).notifications

        for question in ({"event": "e1"}, {"recipient": "anna"}, {"notification": story.id}, {}):
            found = await ask(harness, tenant="other", **question)
            assert found.notifications == ()
            assert all(event.outcome is None for event in found.events)


async def test_an_explanation_travels_as_json_and_holds_no_address() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=ANNA, id="e1")
        found = await ask(harness, event="e1")

        encoded = msgspec.json.encode(found)
        assert msgspec.json.decode(encoded, type=Explanation) == found
        assert b"anna@example.com" not in encoded
        assert b"+15005550006" not in encoded
