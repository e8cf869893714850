"""The straight line and its bends, in memory, under a clock that stands still."""

from __future__ import annotations

import pytest

from angarium.model.message import Email
from angarium.model.reasons import Priority, Progress, Reason, Status
from angarium.model.result import Rejected, Retry, Sent, Unknown
from angarium.ports.broker import Record
from angarium.testing import Harness

ANNA = {"id": "anna", "email": "anna@example.com", "phone": "+15005550006"}
WELCOME = b"""
on = "user.signed_up"
steps = [{ send = ["email", "inbox"] }]
email = { subject = "Welcome {{ user.name | default('friend') }}", text = "Hello" }
inbox = { title = "Welcome" }
"""
FALLBACK = b"""
on = "code.asked"
category = "codes"
steps = [{ first_of = ["sms", "email"], within = "10s" }]
sms = { text = "{{ data.code }}" }
email = { subject = "Your code", text = "{{ data.code }}" }
"""
DRIP = b"""
on = "trial.started"
steps = [
  { send = "email" },
  { delay = "1d" },
  { send = "sms", when = "data.plan == 'pro'" },
  { stop = "that is all", when = "data.plan == 'free'" },
  { send = "inbox" },
]
email = { subject = "Hi", text = "Hi" }
sms = { text = "Still there?" }
inbox = { title = "Still there?" }
"""
CATEGORIES = b"""
[codes]
priority = "critical"
expires = "10m"
retries = ["2s", "30s"]
"""
PROJECT = {
    "workflows/welcome.toml": WELCOME,
    "workflows/fallback.toml": FALLBACK,
    "workflows/drip.toml": DRIP,
    "categories.toml": CATEGORIES,
}


async def standings(harness: Harness) -> list[tuple[str, Status, Reason | None]]:
    return [(d.channel, d.status, d.reason) for d in await harness.deliveries()]


async def test_an_event_becomes_one_message_on_each_channel() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=ANNA)
        assert sorted(await standings(harness)) == [
            ("email", Status.sent, Reason.accepted),
            ("inbox", Status.sent, Reason.accepted),
        ]
        assert [n.status for n in await harness.notifications()] == [Progress.done]
        [message] = harness.messages("email")
        assert isinstance(message, Email)
        assert (message.to, message.subject) == ("anna@example.com", "Welcome friend")


async def test_the_same_event_twice_is_one_message() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=ANNA, id="e1", source="/shop")
        await harness.publish("user.signed_up", to=ANNA, id="e1", source="/shop")
        assert len(harness.messages("email")) == 1


async def test_a_person_without_an_address_is_skipped_with_the_reason() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to="bob")
        assert ("email", Status.skipped, Reason.no_address) in await standings(harness)


async def test_a_definite_failure_is_tried_again_after_the_retry_list() -> None:
    async with Harness(PROJECT) as harness:
        harness.answer("email", Retry(Reason.unavailable), Sent("second"))
        await harness.publish("user.signed_up", to=ANNA)
        assert ("email", Status.waiting, Reason.unavailable) in await standings(harness)
        await harness.advance("3s")
        assert ("email", Status.sent, Reason.accepted) in await standings(harness)
        assert len(harness.messages("email")) == 2


async def test_a_silent_slot_gives_way_to_the_next() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("code.asked", to=ANNA, data={"code": 1})
        assert await standings(harness) == [("sms", Status.sent, Reason.accepted)]
        await harness.advance("11s")
        assert [d.channel for d in await harness.deliveries()] == ["sms", "email"]


async def test_a_delivered_slot_ends_the_step() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("code.asked", to=ANNA, data={"code": 1})
        [sms] = await harness.deliveries()
        await harness.report(sms, Status.delivered)
        await harness.advance("1h")
        assert await standings(harness) == [("sms", Status.delivered, Reason.delivered)]
        assert [n.status for n in await harness.notifications()] == [Progress.done]


async def test_a_refused_slot_gives_way_at_once() -> None:
    async with Harness(PROJECT) as harness:
        harness.answer("sms", Rejected(Reason.bad_address))
        await harness.publish("code.asked", to=ANNA, data={"code": 1})
        assert await standings(harness) == [
            ("sms", Status.failed, Reason.bad_address),
            ("email", Status.sent, Reason.accepted),
        ]


async def test_a_delay_holds_what_follows_and_conditions_pass_over() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("trial.started", to=ANNA, data={"plan": "pro"})
        assert [d.channel for d in await harness.deliveries()] == ["email"]
        await harness.advance("1d")
        assert [d.channel for d in await harness.deliveries()] == ["email", "sms", "inbox"]


async def test_a_stop_ends_the_plan() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("trial.started", to=ANNA, data={"plan": "free"})
        await harness.advance("2d")
        assert [d.channel for d in await harness.deliveries()] == ["email"]
        assert [(n.status, n.reason) for n in await harness.notifications()] == [(Progress.done, Reason.stopped)]


async def test_an_unknown_outcome_waits_for_the_callback() -> None:
    async with Harness(PROJECT) as harness:
        harness.answer("email", Unknown(Reason.timeout))
        await harness.publish("user.signed_up", to=ANNA)
        [email] = [d for d in await harness.deliveries() if d.channel == "email"]
        assert email.status is Status.unknown
        await harness.advance("10s")
        await harness.report(email, Status.delivered)
        await harness.advance("1h")
        assert len(harness.messages("email")) == 1


async def test_an_unknown_outcome_without_a_callback_is_sent_again() -> None:
    async with Harness(PROJECT) as harness:
        harness.answer("email", Unknown(Reason.timeout))
        await harness.publish("user.signed_up", to=ANNA)
        await harness.advance("5m")
        assert len(harness.messages("email")) == 2
        assert ("email", Status.sent, Reason.accepted) in await standings(harness)


async def test_a_restart_in_the_middle_sends_nothing_twice() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=ANNA, settle=False)
        await harness.router.step()
        await harness.dispatcher.step()
        await harness.start()
        await harness.settle()
        assert len(harness.messages("email")) == 1


async def test_what_a_dispatcher_did_not_live_to_publish_is_published_by_the_relay() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=ANNA, settle=False)
        await harness.router.step()
        batch = await harness.dispatcher.consumer.poll(10, 0)
        await harness.dispatcher.decide(batch)
        await harness.start()
        assert await harness.relay.publish(0) == 0
        await harness.settle()
        assert len(harness.messages("email")) == 1


async def test_a_poison_record_dies_and_the_rest_flows_on() -> None:
    async with Harness(PROJECT) as harness:
        topic = harness.topics.events(Priority.normal)
        await harness.broker.publish([Record(topic, "k", b"\xff\xfe nonsense")])
        await harness.publish("user.signed_up", to=ANNA)
        assert [(row[0], row[1]) for row in await harness.dead()] == [(topic, "undecodable")]
        assert len(harness.messages("email")) == 1


@pytest.mark.parametrize("reason", [Reason.bounced, Reason.complained])
async def test_a_bounce_or_a_complaint_suppresses_the_address(reason: Reason) -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=ANNA)
        [email] = [d for d in await harness.deliveries() if d.channel == "email"]
        await harness.report(email, Status.failed if reason is Reason.bounced else Status.delivered, reason)
        await harness.advance("1s")
        await harness.publish("user.signed_up", to=ANNA)
        last = [d for d in await harness.deliveries() if d.channel == "email"][-1]
        assert (last.status, last.reason) == (Status.skipped, Reason.suppressed)
