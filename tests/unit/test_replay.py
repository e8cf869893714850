"""Dead letters: listed without their bytes, and published again byte for byte."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from angarium.database.replay import Listed, letter, list_dead
from angarium.errors import Refused
from angarium.model.reasons import Priority, Progress, Reason, Status
from angarium.pipeline.replay import AlreadyReplayed, NotFound, Replayed, replay
from angarium.ports.broker import Record
from angarium.testing import Harness

WELCOME = b"""
on = "user.signed_up"
steps = [{ send = "email" }]
email = { subject = "Welcome", text = "Hello" }
"""
PROJECT = {"workflows/welcome.toml": WELCOME}
ANNA = {"id": "anna", "email": "anna@example.com"}


async def bury(harness: Harness, *values: bytes) -> list[Listed]:
    """Letters of records that nobody can read, a second apart; newest first."""
    for value in values:
        await harness.broker.publish([Record(harness.topics.events(Priority.normal), "anna", value)])
        await harness.settle()
        harness.clock.advance(1)
    return await dead(harness)


async def dead(harness: Harness, limit: int = 10, after: str | None = None, tenant: str = "default") -> list[Listed]:
    return await harness.database.read(list_dead, tenant, limit, after)


async def again(harness: Harness, name: str, tenant: str = "default", insist: bool = False) -> object:
    return await replay(harness.broker, harness.database, harness.clock, name, tenant=tenant, again=insist)


async def test_letters_are_listed_newest_first_without_their_bytes() -> None:
    async with Harness(PROJECT) as harness:
        newest, oldest = await bury(harness, b"{", b"[1,")

        assert (newest.size, oldest.size) == (3, 1)
        assert newest.reason is Reason.undecodable
        assert (newest.topic, newest.key, newest.replayed) == (harness.topics.events(Priority.normal), "anna", None)
        assert newest.at == oldest.at + 1


async def test_a_list_goes_on_below_the_last_letter_of_the_page_before() -> None:
    async with Harness(PROJECT) as harness:
        listed = await bury(harness, b"{", b"[", b"]")

        assert await dead(harness, limit=2) == listed[:2]
        assert await dead(harness, limit=2, after=listed[1].id) == listed[2:]
        assert await dead(harness, limit=2, after="dead_nothing") == []


async def test_another_tenant_neither_sees_nor_replays_a_letter() -> None:
    async with Harness(PROJECT) as harness:
        [found] = await bury(harness, b"{")

        assert await dead(harness, tenant="other") == []
        assert await harness.database.read(letter, "other", found.id) is None
        assert await again(harness, found.id, tenant="other") == NotFound(found.id)
        assert await dead(harness) == [found]


async def test_a_replay_publishes_the_bytes_that_came_under_their_topic_and_key() -> None:
    async with Harness(PROJECT) as harness:
        [found] = await bury(harness, b"{\xff")
        async with harness.broker.tail(found.topic) as tail:
            assert await again(harness, found.id) == Replayed(found.id, found.topic, harness.clock.now())
            [record] = await tail.poll(10, 0)

        assert (record.topic, record.key, record.value) == (found.topic, "anna", b"{\xff")
        assert [one.replayed for one in await dead(harness)] == [harness.clock.now()]


async def test_a_second_replay_publishes_only_when_one_insists() -> None:
    async with Harness(PROJECT) as harness:
        [found] = await bury(harness, b"{")
        first = harness.clock.now()
        await again(harness, found.id)
        harness.clock.advance(5)

        async with harness.broker.tail(found.topic) as tail:
            assert await again(harness, found.id) == AlreadyReplayed(found.id, first)
            assert await tail.poll(10, 0) == ()
            assert await again(harness, found.id, insist=True) == Replayed(found.id, found.topic, first + 5)
            assert len(await tail.poll(10, 0)) == 1


async def test_what_the_broker_refuses_is_not_marked_as_replayed() -> None:
    async with Harness(PROJECT) as harness:
        [found] = await bury(harness, b"{")
        await harness.database.write(_move_to, found.id, "a.topic.nobody.prepared")

        with pytest.raises(Refused, match="was not prepared"):
            await again(harness, found.id)
        assert [one.replayed for one in await dead(harness)] == [None]


async def test_a_fact_that_is_replayed_again_and_again_moves_its_delivery_once() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=ANNA)
        [email] = await harness.deliveries()
        await harness.report(email, Status.delivered)
        [name] = await bury(harness, b"{")
        receipt = await _last_record(harness, harness.topics.journal(Priority.normal))
        await harness.database.write(_holds, name.id, receipt)

        await again(harness, name.id)
        await harness.settle()
        await again(harness, name.id, insist=True)
        await harness.settle()

        [after] = await harness.deliveries()
        assert (after.status, after.version) == (Status.delivered, email.version + 1)
        assert [n.status for n in await harness.notifications()] == [Progress.done]


async def _last_record(harness: Harness, topic: str) -> Record:
    async with harness.broker.consumer([topic], "look") as consumer:
        return (await consumer.poll(100, 0))[-1]


def _move_to(connection: Connection, name: str, topic: str) -> None:
    connection.exec_driver_sql("UPDATE dead SET topic = ? WHERE id = ?", (topic, name))


def _holds(connection: Connection, name: str, record: Record) -> None:
    statement = "UPDATE dead SET topic = ?, key = ?, value = ? WHERE id = ?"
    connection.exec_driver_sql(statement, (record.topic, record.key, record.value, name))
