"""The suite of `ports.broker.Broker`. Fixtures: `broker` (entered), `pass_time`; `DurableBrokerContract`: `reopen`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from angarium.errors import Refused
from angarium.ports.broker import Broker, Consumer, Lag, Record
from angarium.testing.contracts import PassTime

#: Closes the broker of the fixture `broker` and gives another one over the same data; the fixture closes that.
Reopen = Callable[[], Awaitable[Broker]]
#: Seconds until a record that must come is given up, and how long to listen for one that must not.
PATIENCE, SILENCE = 10.0, 0.02


def records(topic: str, *values: str, key: str = "k") -> list[Record]:
    """One record a value, all of one key and so in order."""
    return [Record(topic, key, value.encode()) for value in values]


def values(batch: Sequence[Record]) -> list[str]:
    """What the records say."""
    return [record.value.decode() for record in batch]


async def receive(consumer: Consumer, count: int) -> list[Record]:
    """Poll until `count` records came, or none for `PATIENCE` seconds."""
    received: list[Record] = []
    while len(received) < count and (batch := await consumer.poll(count - len(received), PATIENCE)):
        received += batch
    return received


class BrokerContract:
    """What every broker does. Each test has topics of its own, so that one server may serve them all."""

    @pytest.fixture
    def name(self) -> str:
        """A prefix for topics and groups that no other test has."""
        return f"contract.{uuid4().hex[:12]}"

    @pytest.fixture
    async def topic(self, broker: Broker, name: str) -> str:
        """A prepared topic."""
        await broker.prepare([name])
        return name

    async def test_a_record_comes_as_it_was_published(self, broker: Broker, topic: str) -> None:
        await broker.publish([Record(topic, "anna", b"\x00\xff raw")])
        async with broker.consumer([topic], topic) as consumer:
            [record] = await receive(consumer, 1)

        assert (record.topic, record.key, record.value) == (topic, "anna", b"\x00\xff raw")
        assert record.offset >= 0
        assert record.at > 0

    async def test_records_of_a_key_keep_their_order_over_publishes_and_polls(self, broker: Broker, topic: str) -> None:
        published = [f"{number:03}" for number in range(90)]
        for start in range(0, 90, 30):
            await broker.publish(records(topic, *published[start : start + 30]))
        async with broker.consumer([topic], topic) as consumer:
            received = [*await receive(consumer, 40), *await receive(consumer, 50)]

        assert values(received) == published
        assert [record.offset for record in received] == sorted({record.offset for record in received})

    async def test_topics_come_in_the_order_they_were_named(self, broker: Broker, name: str) -> None:
        """That is what gives critical records their priority."""
        critical, normal, bulk = topics = [f"{name}.{lane}" for lane in ("critical", "normal", "bulk")]
        await broker.prepare(topics)
        await broker.publish([*records(bulk, "b1", "b2"), *records(normal, "n1"), *records(critical, "c1", "c2")])
        async with broker.consumer(topics, name) as consumer:
            assert values(await receive(consumer, 5)) == ["c1", "c2", "n1", "b1", "b2"]

    async def test_a_full_poll_of_an_earlier_topic_leaves_the_later_one_for_the_next(
        self, broker: Broker, name: str
    ) -> None:
        first, second = topics = [f"{name}.1", f"{name}.2"]
        await broker.prepare(topics)
        await broker.publish([*records(second, "later"), *records(first, "a", "b", "c")])
        async with broker.consumer(topics, name) as consumer:
            assert values(await receive(consumer, 2)) == ["a", "b"]
            assert values(await receive(consumer, 2)) == ["c", "later"]

    async def test_a_new_group_starts_at_the_oldest_record(self, broker: Broker, topic: str) -> None:
        await broker.publish(records(topic, "a", "b"))
        async with broker.consumer([topic], topic) as first:
            await first.commit(await receive(first, 2))
        async with broker.consumer([topic], f"{topic}.other") as second:
            assert values(await receive(second, 2)) == ["a", "b"]

    async def test_every_group_gets_every_record(self, broker: Broker, topic: str) -> None:
        one, two = broker.consumer([topic], f"{topic}.1"), broker.consumer([topic], f"{topic}.2")
        async with one, two:
            await broker.publish(records(topic, "a", "b"))
            assert values(await receive(one, 2)) == values(await receive(two, 2)) == ["a", "b"]

    async def test_a_group_goes_on_after_its_last_commit(self, broker: Broker, topic: str) -> None:
        await broker.publish(records(topic, "a", "b", "c"))
        async with broker.consumer([topic], topic) as consumer:
            await consumer.commit(await receive(consumer, 2))
        async with broker.consumer([topic], topic) as consumer:
            assert values(await receive(consumer, 1)) == ["c"]

    async def test_what_a_member_left_uncommitted_comes_again(self, broker: Broker, topic: str) -> None:
        await broker.publish(records(topic, "a", "b", "c"))
        async with broker.consumer([topic], topic) as consumer:
            await receive(consumer, 3)
        async with broker.consumer([topic], topic) as consumer:
            assert values(await receive(consumer, 3)) == ["a", "b", "c"]

    async def test_a_member_gets_a_record_once(self, broker: Broker, topic: str) -> None:
        await broker.publish(records(topic, "a"))
        async with broker.consumer([topic], topic) as consumer:
            await receive(consumer, 1)
            assert list(await consumer.poll(10, SILENCE)) == []

    async def test_a_commit_with_a_gap_is_only_as_good_as_the_part_before_it(self, broker: Broker, topic: str) -> None:
        await broker.publish(records(topic, "a", "b", "c"))
        async with broker.consumer([topic], topic) as consumer:
            a, _, c = await receive(consumer, 3)
            await consumer.commit([c])
            await consumer.commit([a])
        async with broker.consumer([topic], topic) as consumer:
            assert values(await receive(consumer, 1)) == ["b"]

    async def test_commits_in_any_order_and_again_finish_the_batch(self, broker: Broker, topic: str) -> None:
        await broker.publish(records(topic, "a", "b", "c"))
        async with broker.consumer([topic], topic) as consumer:
            a, b, c = await receive(consumer, 3)
            for done in ([c], [b], [], [c, a], [a, b, c]):
                await consumer.commit(done)
        await broker.publish(records(topic, "d"))
        async with broker.consumer([topic], topic) as consumer:
            assert values(await receive(consumer, 1)) == ["d"]

    async def test_two_members_share_the_records(self, broker: Broker, topic: str) -> None:
        published = [f"{number:02}" for number in range(40)]
        async with broker.consumer([topic], topic) as one, broker.consumer([topic], topic) as two:
            await broker.publish([Record(topic, value, value.encode()) for value in published])
            received: list[Record] = []
            while len(received) < len(published):
                received += [*await one.poll(7, SILENCE), *await two.poll(7, SILENCE)]
            await one.commit(received)
            await two.commit(received)

        assert sorted(values(received)) == published

    async def test_what_a_member_leaves_goes_to_the_one_who_stays(self, broker: Broker, topic: str) -> None:
        async with AsyncExitStack() as staying, AsyncExitStack() as leaving:
            leaver = await leaving.enter_async_context(broker.consumer([topic], topic))
            await broker.publish(records(topic, "a", "b"))
            await receive(leaver, 1)
            stayer = await staying.enter_async_context(broker.consumer([topic], topic))
            await leaving.aclose()
            assert sorted(values(await receive(stayer, 2))) == ["a", "b"]

    async def test_a_poll_for_nothing_gives_nothing_and_takes_nothing(self, broker: Broker, topic: str) -> None:
        await broker.publish(records(topic, "a"))
        async with broker.consumer([topic], topic) as consumer:
            assert list(await consumer.poll(0, SILENCE)) == []
            assert values(await receive(consumer, 1)) == ["a"]

    async def test_a_poll_gives_no_more_than_its_limit(self, broker: Broker, topic: str) -> None:
        await broker.publish(records(topic, "a", "b", "c"))
        async with broker.consumer([topic], topic) as consumer:
            assert len(await consumer.poll(2, PATIENCE)) <= 2

    async def test_a_waiting_poll_ends_when_a_record_is_published(self, broker: Broker, topic: str) -> None:
        async with broker.consumer([topic], topic) as consumer, asyncio.TaskGroup() as group:
            polling = group.create_task(consumer.poll(10, PATIENCE))
            await asyncio.sleep(0)
            await broker.publish(records(topic, "a"))
            assert values(await polling) == ["a"]

    async def test_a_poll_without_records_ends_empty(self, broker: Broker, topic: str) -> None:
        async with broker.consumer([topic], topic) as consumer:
            assert list(await consumer.poll(10, SILENCE)) == []

    async def test_lag_counts_what_is_not_committed_and_how_old_it_is(
        self, broker: Broker, topic: str, pass_time: PassTime
    ) -> None:
        await broker.publish(records(topic, "a", "b", "c"))
        async with broker.consumer([topic], topic) as consumer:
            polled = await receive(consumer, 2)
            await pass_time(0.5)
            lag = (await consumer.lag())[topic]
            await consumer.commit([*polled, *await receive(consumer, 1)])
            nothing = (await consumer.lag())[topic]

        assert lag.records == 3
        assert 0.4 <= lag.seconds < PATIENCE
        assert nothing == Lag(records=0, seconds=0.0)

    async def test_lag_tells_every_topic_also_before_the_first_poll(self, broker: Broker, name: str) -> None:
        empty, full = topics = [f"{name}.empty", f"{name}.full"]
        await broker.prepare(topics)
        await broker.publish(records(full, "a", "b"))
        async with broker.consumer(topics, name) as consumer:
            lag = await consumer.lag()

        assert {topic: lag[topic].records for topic in topics} == {empty: 0, full: 2}

    async def test_an_unknown_topic_is_refused_with_its_whole_batch(self, broker: Broker, topic: str) -> None:
        with pytest.raises(Refused):
            await broker.publish([*records(topic, "a"), *records(f"{topic}.never", "b")])
        await broker.publish(records(topic, "c"))
        async with broker.consumer([topic], topic) as consumer:
            assert values(await receive(consumer, 1)) == ["c"]

    async def test_publishing_nothing_is_nothing(self, broker: Broker, topic: str) -> None:
        await broker.publish([])
        async with broker.consumer([topic], topic) as consumer:
            assert (await consumer.lag())[topic].records == 0

    async def test_preparing_again_keeps_the_records(self, broker: Broker, topic: str) -> None:
        await broker.publish(records(topic, "a"))
        await broker.prepare([topic, f"{topic}.new", topic])
        await broker.publish(records(f"{topic}.new", "n"))
        async with broker.consumer([topic, f"{topic}.new"], topic) as consumer:
            assert values(await receive(consumer, 2)) == ["a", "n"]

    async def test_a_tail_tells_what_comes_from_now_on(self, broker: Broker, topic: str) -> None:
        await broker.publish(records(topic, "before"))
        async with broker.tail(topic) as one, broker.tail(topic) as two:
            await broker.publish(records(topic, "a", "b"))
            assert values(await receive(one, 2)) == values(await receive(two, 2)) == ["a", "b"]

    async def test_a_tail_from_the_oldest_tells_everything_each_time(self, broker: Broker, topic: str) -> None:
        await broker.publish(records(topic, "a", "b"))
        for _ in range(2):
            async with broker.tail(topic, oldest=True) as tail:
                assert (await tail.lag())[topic].records == 2
                assert values(await receive(tail, 2)) == ["a", "b"]
                assert (await tail.lag())[topic].records == 0

    async def test_a_tail_changes_nothing_for_groups(self, broker: Broker, topic: str) -> None:
        async with broker.tail(topic) as tail:
            await broker.publish(records(topic, "a"))
            await tail.commit(await receive(tail, 1))
            assert list(await tail.poll(10, SILENCE)) == []
        async with broker.consumer([topic], topic) as consumer:
            assert values(await receive(consumer, 1)) == ["a"]


class DurableBrokerContract(BrokerContract):
    """And what a broker does that outlives its process."""

    async def test_records_and_topics_are_there_after_a_restart(
        self, broker: Broker, topic: str, reopen: Reopen
    ) -> None:
        await broker.publish(records(topic, "a", "b"))
        broker = await reopen()
        await broker.publish(records(topic, "c"))
        async with broker.consumer([topic], topic) as consumer:
            assert values(await receive(consumer, 3)) == ["a", "b", "c"]

    async def test_after_a_restart_a_group_goes_on_after_the_contiguous_part_it_committed(
        self, broker: Broker, topic: str, reopen: Reopen
    ) -> None:
        await broker.publish(records(topic, "a", "b", "c", "d"))
        async with broker.consumer([topic], topic) as consumer:
            a, b, _, d = await receive(consumer, 4)
            await consumer.commit([b, d, a])
        broker = await reopen()
        async with broker.consumer([topic], topic) as consumer:
            assert values(await receive(consumer, 1)) == ["c"]

    async def test_offsets_go_on_after_a_restart(self, broker: Broker, topic: str, reopen: Reopen) -> None:
        """A dead letter is found by its offset: it may not name two records."""
        await broker.publish(records(topic, "a"))
        broker = await reopen()
        await broker.publish(records(topic, "b"))
        async with broker.consumer([topic], topic) as consumer:
            a, b = await receive(consumer, 2)

        assert b.offset > a.offset
