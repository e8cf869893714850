"""The Sender: claims, last look, answers. Every way a try can go is told to the journal."""

from __future__ import annotations

import pytest

from angarium.database import gate, rows, tables
from angarium.database.parks import claim as park
from angarium.decide.choose import Account
from angarium.model.message import Sms
from angarium.model.reasons import Priority, Reason, Status
from angarium.model.result import Retry, Sent, Unknown
from angarium.model.timeline import Suppression
from angarium.ports.broker import Record
from angarium.ports.state import Answer, Claim, Go
from angarium.testing import Harness
from angarium.transport.errors import CallFailed

PROJECT = {
    "workflows/code.toml": b"""
on = "code"
category = "codes"
steps = [{ send = "sms" }]
sms = { text = "{{ data.code }}" }
""",
    "workflows/note.toml": b'on = "note"\nsteps = [{ send = "sms" }]\nsms = { text = "note" }\n',
    "categories.toml": b'[codes]\non_unknown = "park"\nretries = ["2s"]\nexpires = "1h"\n',
}
ANNA = {"id": "anna", "phone": "+15005550006"}


async def planned(harness: Harness, type_: str = "note") -> str:
    """An event has come as far as a hand-over that no Sender has seen; the delivery's id."""
    await harness.publish(type_, to=ANNA, data={"code": 7}, settle=False)
    await harness.router.step()
    await harness.dispatcher.step()
    [delivery] = await harness.deliveries()
    return delivery.id


async def only(harness: Harness) -> tuple[Status, Reason | None, int]:
    [delivery] = await harness.deliveries()
    return delivery.status, delivery.reason, delivery.try_


async def test_an_answer_in_the_state_is_told_again_and_nobody_is_called() -> None:
    """A crash between settle and commit shows the record again."""
    async with Harness(PROJECT) as harness:
        name = await planned(harness)
        verdict = (await harness.state.claim([Claim(name, 1, 45.0)]))[name]
        assert isinstance(verdict, Go)
        await harness.state.settle([Answer(name, 1, verdict.token, Sent("SM1"))])
        await harness.settle()
        assert harness.messages("sms") == []
        assert await only(harness) == (Status.sent, Reason.accepted, 1)


async def test_a_claim_of_a_dead_sender_is_unknown_and_not_called() -> None:
    async with Harness(PROJECT) as harness:
        name = await planned(harness)
        await harness.state.claim([Claim(name, 1, 45.0)])
        harness.clock.advance(46.0)
        await harness.settle()
        assert harness.messages("sms") == []
        assert await only(harness) == (Status.unknown, Reason.lease_lapsed, 1)


async def test_a_busy_try_comes_back_as_the_same_try() -> None:
    async with Harness(PROJECT) as harness:
        name = await planned(harness)
        verdict = (await harness.state.claim([Claim(name, 1, 45.0)]))[name]
        assert isinstance(verdict, Go)
        await harness.settle()
        assert await only(harness) == (Status.sending, None, 1)
        await harness.state.settle([Answer(name, 1, verdict.token, Sent("SM1"))])
        await harness.advance("1m")
        assert harness.messages("sms") == []
        assert await only(harness) == (Status.sent, Reason.accepted, 1)


async def test_a_cancelled_delivery_is_not_called() -> None:
    async with Harness(PROJECT) as harness:
        await planned(harness)
        [notification] = await harness.notifications()
        await harness.database.write(
            lambda c: c.exec_driver_sql(
                "INSERT INTO cancels (tenant, scope, id, reason, at) VALUES ('default', 'run', ?, 'cancelled', 0)",
                (notification.run,),
            )
        )
        await harness.settle()
        assert harness.messages("sms") == []
        assert await only(harness) == (Status.cancelled, Reason.cancelled, 1)


async def test_an_address_suppressed_after_the_decision_is_not_called() -> None:
    async with Harness(PROJECT) as harness:
        await planned(harness)
        entry = Suppression(
            tenant="default", channel="sms", address=ANNA["phone"], reason=Reason.opted_out, source="sms", at=0.0
        )
        await harness.database.write(gate.suppress, [entry])
        await harness.settle()
        assert harness.messages("sms") == []
        assert await only(harness) == (Status.skipped, Reason.suppressed, 1)


async def test_what_waited_too_long_expires_instead_of_being_called() -> None:
    async with Harness(PROJECT) as harness:
        await planned(harness, "code")
        harness.clock.advance(3601.0)
        await harness.settle()
        assert harness.messages("sms") == []
        assert await only(harness) == (Status.expired, Reason.expired, 1)


async def test_what_must_not_be_sent_twice_is_parked_after_an_unknown_outcome() -> None:
    async with Harness(PROJECT) as harness:
        harness.answer("sms", Unknown(Reason.timeout))
        await harness.publish("code", to=ANNA, data={"code": 7})
        await harness.advance("1h")
        assert await only(harness) == (Status.parked, Reason.timeout, 1)
        assert len(harness.messages("sms")) == 1


async def test_a_parked_try_survives_the_loss_of_the_state() -> None:
    """Its claim is a row of the database."""
    async with Harness(PROJECT) as harness:
        name = await planned(harness, "code")
        await harness.database.write(park, [Claim(name, 1, 45.0, "sms")], harness.clock.now())
        harness.clock.advance(46.0)
        await harness.settle()
        assert harness.messages("sms") == []
        assert await only(harness) == (Status.parked, Reason.lease_lapsed, 1)


async def test_a_delivery_twice_in_a_batch_is_called_once() -> None:
    async with Harness(PROJECT) as harness:
        await planned(harness)
        consumer = harness.senders["sms", Priority.normal].consumer
        [record] = await consumer.poll(10, 0)
        await harness.broker.publish([Record(record.topic, record.key, record.value)] * 2)
        await harness.settle()
        await harness.advance("2m")
        assert len(harness.messages("sms")) == 1


async def test_nothing_written_is_tried_once_more_at_once() -> None:
    async with Harness(PROJECT) as harness:
        harness.answer("sms", CallFailed(Reason.connect_failed, written=False))
        await harness.publish("note", to=ANNA)
        assert len(harness.messages("sms")) == 2
        assert await only(harness) == (Status.sent, Reason.accepted, 1)


async def test_a_call_that_broke_after_it_was_written_is_unknown() -> None:
    async with Harness(PROJECT) as harness:
        harness.answer("sms", CallFailed(Reason.reset_after_write, written=True))
        await harness.publish("note", to=ANNA)
        assert len(harness.messages("sms")) == 1
        assert await only(harness) == (Status.unknown, Reason.reset_after_write, 1)


async def test_a_provider_that_breaks_hurts_its_own_delivery_only() -> None:
    async with Harness(PROJECT) as harness:
        harness.answer("sms", ZeroDivisionError())
        await harness.publish("note", to=ANNA)
        await harness.publish("note", to={"id": "bob", "phone": "+15005550007"})
        assert sorted(d.status for d in await harness.deliveries()) == [Status.sent, Status.unknown]


async def test_a_template_that_fails_is_a_definite_end_with_its_reason() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("code", to=ANNA, data={})
        assert harness.messages("sms") == []
        assert await only(harness) == (Status.failed, Reason.template_error, 1)
        lines = await harness.database.read(rows.everything, tables.timeline, ("kind", "detail"))
        [said] = [detail for kind, detail in lines if kind == "rejected"]
        assert said.startswith("try 1: workflows/code.toml")
        assert said.endswith("data.code is undefined")


async def test_another_account_takes_over_after_a_definite_failure() -> None:
    accounts = [Account("first", ("sms",)), Account("second", ("sms",))]
    async with Harness(PROJECT, accounts=accounts) as harness:
        harness.answer("first", Retry(Reason.unavailable))
        await harness.publish("note", to=ANNA)
        await harness.advance("5s")
        assert [len(harness.messages(name)) for name in ("first", "second")] == [1, 1]


async def test_no_other_account_is_tried_while_the_outcome_is_unknown() -> None:
    accounts = [Account("first", ("sms",), receipts=True), Account("second", ("sms",), receipts=True)]
    async with Harness(PROJECT, accounts=accounts) as harness:
        harness.answer("first", Unknown(Reason.timeout))
        await harness.publish("note", to=ANNA)
        await harness.advance("1h")
        assert [len(harness.messages(name)) for name in ("first", "second")] == [2, 0]


@pytest.mark.parametrize("poison", [b"", b"{}", b'{"v":1}', b"\xff", b"[]"])
async def test_a_poison_hand_over_dies_and_the_rest_flows_on(poison: bytes) -> None:
    async with Harness(PROJECT) as harness:
        topic = harness.topics.deliver("sms", Priority.normal)
        await harness.broker.publish([Record(topic, "x", poison)])
        await harness.publish("note", to=ANNA)
        assert [row[:2] for row in await harness.dead()] == [(topic, "undecodable")]
        assert len(harness.messages("sms")) == 1


async def test_a_message_says_where_it_was_for() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("note", to=ANNA)
        [message] = harness.messages("sms")
        [delivery] = await harness.deliveries()
        assert isinstance(message, Sms)
        assert f"/v1/callbacks/sms?delivery_id={delivery.id}&ref={delivery.notification}.n." in message.callback_url
