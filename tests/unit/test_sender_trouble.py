"""The Sender when stores are slow, accounts are closed, and loops fail: nothing is called wrongly, nothing is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from angarium.database import timers
from angarium.decide.breaker import Breaker
from angarium.decide.choose import Account
from angarium.errors import Incompatible
from angarium.model.message import Message
from angarium.model.reasons import Priority, Reason, Status
from angarium.model.result import Result, Retry, Sent, Unknown
from angarium.pipeline.sender import Sender
from angarium.ports.broker import Record
from angarium.ports.state import Claim
from angarium.testing import Harness

PROJECT = {
    "workflows/code.toml": b"""
on = "code"
category = "codes"
steps = [{ send = "sms" }]
sms = { text = "{{ data.code }}" }
""",
    "workflows/note.toml": b'on = "note"\nsteps = [{ send = "sms" }]\nsms = { text = "for {{ user.name }}" }\n',
    "workflows/news.toml": b'on = "news"\ncategory = "news"\nsteps = [{ send = "sms" }]\nsms = { text = "x" }\n',
    "workflows/hook.toml": b'on = "hook"\ncategory = "hooks"\nsteps = [{ send = "webhook" }]\n',
    "categories.toml": b"""
[codes]
on_unknown = "park"
priority = "critical"
retries = ["2s"]
expires = "1h"
[news]
priority = "bulk"
[hooks]
retries = ["2s"]
""",
}
ANNA = {"id": "anna", "name": "Anna", "phone": "+15005550006", "webhook": "https://hooks.example.com/a"}
TWO = [Account("first", ("sms",), receipts=True), Account("second", ("sms",), receipts=True)]


async def planned(harness: Harness, type_: str = "note") -> str:
    """An event has come as far as a hand-over that no Sender has seen; the delivery's id."""
    await harness.publish(type_, to=ANNA, data={"code": 7}, settle=False)
    await harness.router.step()
    await harness.dispatcher.step()
    return (await harness.deliveries())[-1].id


def lane(harness: Harness, priority: Priority = Priority.normal, channel: str = "sms") -> Sender:
    return harness.senders[channel, priority]


async def handed_over(harness: Harness, priority: Priority = Priority.normal) -> Record:
    async with harness.broker.tail(harness.topics.deliver("sms", priority), oldest=True) as tail:
        return (await tail.poll(1, 0))[0]


async def standing(harness: Harness) -> tuple[Status, Reason | None, int]:
    delivery = (await harness.deliveries())[-1]
    return delivery.status, delivery.reason, delivery.try_


def close(harness: Harness, account: str, seconds: float) -> None:
    """The account's breaker has opened."""
    live = lane(harness).around.accounts[account]
    live._breaker = Breaker(5, harness.clock.now() + seconds, seconds)


class Gate:
    """A service that answers when it is told to."""

    def __init__(self, answer: Result) -> None:
        self.answer, self.asked, self.opened = answer, list[Message](), asyncio.Event()
        self.first = asyncio.Event()

    async def __call__(self, message: Message) -> Result:
        self.asked.append(message)
        self.first.set()
        await self.opened.wait()
        return self.answer


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.001)


async def test_a_repeated_hand_over_of_what_must_not_repeat_waits_for_the_first_call(monkeypatch: Any) -> None:
    """The first call's definite answer must count, so the repetition may not declare it unknown."""
    async with Harness(PROJECT) as harness:
        await planned(harness, "code")
        record = await handed_over(harness, Priority.critical)
        gate = Gate(Retry(Reason.unavailable))
        monkeypatch.setattr(harness.providers["sms"], "send", gate)
        sender = lane(harness, Priority.critical)
        async with asyncio.TaskGroup() as group:
            group.create_task(sender.run())
            await gate.first.wait()
            await harness.broker.publish([Record(record.topic, record.key, record.value)])
            await asyncio.sleep(0.1)
            await harness.dispatcher.step()
            gate.opened.set()
            sender.stop()
        await harness.dispatcher.step()
        assert await standing(harness) == (Status.waiting, Reason.unavailable, 2)


async def test_one_try_of_what_must_not_repeat_is_given_out_once_even_on_a_still_clock() -> None:
    async with Harness(PROJECT) as harness:
        await planned(harness, "code")
        record = await handed_over(harness, Priority.critical)
        await lane(harness, Priority.critical).step()
        await harness.broker.publish([Record(record.topic, record.key, record.value)])
        await lane(harness, Priority.critical).step()
        assert len(harness.messages("sms")) == 1


async def test_a_claim_that_took_too_long_is_given_back_and_the_try_comes_again(monkeypatch: Any) -> None:
    async with Harness(PROJECT) as harness:
        await planned(harness, "code")
        write = harness.database.write

        async def slow(query: Any, *args: Any, **kwargs: Any) -> Any:
            if query.__module__.endswith("parks") and query.__name__ == "claim":
                harness.clock.advance(25.0)
                monkeypatch.setattr(harness.database, "write", write)
            return await write(query, *args, **kwargs)

        monkeypatch.setattr(harness.database, "write", slow)
        await harness.settle()
        assert harness.messages("sms") == []
        await harness.advance("1m")
        assert await standing(harness) == (Status.sent, Reason.accepted, 1)


async def test_a_cancel_while_the_claim_was_slow_is_seen_before_the_call(monkeypatch: Any) -> None:
    async with Harness(PROJECT) as harness:
        await planned(harness)
        claim = harness.state.claim

        async def slow(claims: Any) -> Any:
            [notification] = await harness.notifications()
            await harness.database.write(
                lambda c: c.exec_driver_sql(
                    "INSERT INTO cancels (tenant, scope, id, reason, at) VALUES ('default', 'run', ?, 'cancelled', 0)",
                    (notification.run,),
                )
            )
            harness.clock.advance(5.0)
            return await claim(claims)

        monkeypatch.setattr(harness.state, "claim", slow)
        await harness.settle()
        assert harness.messages("sms") == []
        assert await standing(harness) == (Status.cancelled, Reason.cancelled, 1)


async def test_a_hand_over_of_a_release_that_is_gone_fails_alone() -> None:
    async with Harness(PROJECT) as harness:
        name = await planned(harness)
        record = await handed_over(harness)
        raw = {**msgspec.json.decode(record.value), "release": "rel_gone", "try": 2}
        await harness.broker.publish([Record(record.topic, record.key, msgspec.json.encode(raw))])
        await harness.publish("note", to={"id": "bob", "name": "Bob", "phone": "+15005550007"})
        assert {d.id: d.status for d in await harness.deliveries()}[name] is Status.sent
        assert len(harness.messages("sms")) == 2


async def test_a_loop_that_fails_lets_its_calls_end_and_tells_their_answers(monkeypatch: Any) -> None:
    async with Harness(PROJECT) as harness:
        await planned(harness)
        record = await handed_over(harness)
        gate = Gate(Sent("SM1"))
        monkeypatch.setattr(harness.providers["sms"], "send", gate)
        sender = lane(harness)
        running = asyncio.ensure_future(sender.run())
        await gate.first.wait()
        raw = {**msgspec.json.decode(record.value), "v": 2}
        await harness.broker.publish([Record(record.topic, record.key, msgspec.json.encode(raw))])
        await asyncio.sleep(0.05)
        gate.opened.set()
        with pytest.raises(Incompatible):
            await running
        await harness.dispatcher.step()
        assert await standing(harness) == (Status.sent, Reason.accepted, 1)


async def test_a_lapsed_claim_is_asked_again_of_its_own_account_only() -> None:
    async with Harness(PROJECT, accounts=TWO) as harness:
        name = await planned(harness)
        await harness.state.claim([Claim(name, 1, 45.0, "first")])
        harness.clock.advance(46.0)
        close(harness, "first", 30.0)
        await harness.settle()
        assert (await harness.deliveries())[0].account == "first"
        await harness.advance("10m")
        assert [len(harness.messages(account)) for account in ("first", "second")] == [1, 0]


async def test_a_resend_bound_to_a_closed_account_waits_for_it() -> None:
    async with Harness(PROJECT, accounts=TWO) as harness:
        harness.answer("first", Unknown(Reason.timeout))
        await harness.publish("note", to=ANNA)
        close(harness, "first", 600.0)
        await harness.advance("5m")
        assert [len(harness.messages(account)) for account in ("first", "second")] == [1, 0]
        await harness.advance("10m")
        assert [len(harness.messages(account)) for account in ("first", "second")] == [2, 0]
        assert await standing(harness) == (Status.sent, Reason.accepted, 2)


async def test_waiting_for_a_closed_endpoint_uses_up_no_try() -> None:
    async with Harness(PROJECT) as harness:
        live = lane(harness, channel="webhook").around.accounts["webhook"]
        live._endpoints[ANNA["webhook"]] = Breaker(5, harness.clock.now() + 60.0, 60.0)
        await harness.publish("hook", to=ANNA)
        assert harness.messages("webhook") == []
        await harness.advance("2m")
        assert await standing(harness) == (Status.sent, Reason.accepted, 1)


async def test_a_healthy_account_that_is_full_does_not_overflow_to_the_next() -> None:
    async with Harness(PROJECT, accounts=TWO) as harness:
        for number in range(70):
            await harness.publish("note", to={**ANNA, "id": f"u{number}"}, settle=False)
        await harness.settle()
        await harness.advance("1m")
        assert [len(harness.messages(account)) for account in ("first", "second")] == [70, 0]


async def test_a_bulk_send_that_hangs_leaves_room_for_a_critical_one(monkeypatch: Any) -> None:
    async with Harness(PROJECT) as harness:
        for number in range(80):
            await harness.publish("news", to={**ANNA, "id": f"u{number}"}, settle=False)
        await harness.publish("code", to=ANNA, data={"code": 7}, settle=False)
        await harness.router.step()
        await harness.dispatcher.step()
        gate = Gate(Sent("SM1"))
        monkeypatch.setattr(harness.providers["sms"], "send", gate)
        bulk, critical = lane(harness, Priority.bulk), lane(harness, Priority.critical)
        async with asyncio.TaskGroup() as group:
            group.create_task(bulk.run())
            await until(lambda: len(gate.asked) == 48)
            group.create_task(critical.run())
            await until(lambda: len(gate.asked) == 49)
            for sender in (bulk, critical):
                sender.stop()
            gate.opened.set()


async def test_every_try_says_the_same_whatever_became_of_the_person() -> None:
    async with Harness(PROJECT) as harness:
        harness.answer("sms", Retry(Reason.unavailable))
        await harness.publish("note", to=ANNA)
        await harness.publish("unheard", to={**ANNA, "name": "Annabel"})
        await harness.publish("news", to={**ANNA, "name": "Annabel"})
        await harness.advance("10s")
        texts = [getattr(message, "text", "") for message in harness.messages("sms")]
        assert texts.count("for Anna") == 2


async def test_what_fails_before_the_call_is_a_definite_non_send(monkeypatch: Any) -> None:
    async with Harness(PROJECT) as harness:

        def broken(*_args: Any, **_kwargs: Any) -> Message:
            raise ZeroDivisionError

        monkeypatch.setattr(type(harness.release.content), "message", broken)
        await harness.publish("note", to=ANNA)
        assert await standing(harness) == (Status.waiting, Reason.provider_error, 2)


async def test_a_hand_over_that_the_broker_refuses_ends_its_delivery(monkeypatch: Any) -> None:
    monkeypatch.setattr("angarium.brokers._embedded.LARGEST", 900)
    async with Harness({**PROJECT}) as harness:
        monkeypatch.setattr("angarium.brokers._embedded.LARGEST", 2500)
        await harness.publish("note", to=ANNA, data={"pad": "x" * 900}, settle=False)
        await harness.router.step()
        monkeypatch.setattr("angarium.brokers._embedded.LARGEST", 1200)
        await harness.settle()
        assert await standing(harness) == (Status.failed, Reason.refused, 1)
        assert [row[1] for row in await harness.dead()] == ["refused_by_broker"]
        assert await harness.database.read(timers.next_due) is None
