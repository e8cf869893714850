"""The broker suite over the embedded adapters, and what only they promise: a kill, a full file, retention."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from angarium.brokers import memory, sqlite
from angarium.errors import Invalid, Misconfigured, Refused, Unavailable
from angarium.ports.broker import Broker, Record
from angarium.sqlite import Inline
from angarium.testing.clock import FakeClock
from angarium.testing.contracts.broker import (
    PATIENCE,
    SILENCE,
    DurableBrokerContract,
    Reopen,
    receive,
    records,
    values,
)

DAY = 86400.0


class Store:
    """A broker that can be left and entered again over the same data."""

    def __init__(self, make: Any) -> None:
        self.make = make
        self.open = AsyncExitStack()

    async def reopen(self) -> Broker:
        await self.open.aclose()
        broker: Broker = await self.open.enter_async_context(self.make())
        return broker


class Embedded(DurableBrokerContract):
    """Both embedded brokers. A subclass gives the fixture `store`."""

    @pytest.fixture
    async def broker(self, store: Store) -> Broker:
        return await store.reopen()

    @pytest.fixture
    def reopen(self, store: Store) -> Reopen:
        return store.reopen

    async def test_a_record_that_is_too_large_is_refused_with_its_batch(self, broker: Broker, topic: str) -> None:
        with pytest.raises(Refused, match="larger than"):
            await broker.publish([*records(topic, "a"), Record(topic, "k", bytes(16 * 1024 * 1024))])
        async with broker.consumer([topic], topic) as consumer:
            assert await consumer.poll(1, SILENCE) == ()

    async def test_a_consumer_of_an_unknown_topic_is_told_to_prepare_it(self, broker: Broker) -> None:
        with pytest.raises(Invalid, match="prepare"):
            broker.consumer(["never"], "group")
        with pytest.raises(Invalid, match="prepare"):
            broker.tail("never")

    async def test_whoever_stays_and_waits_is_woken_by_who_leaves(self, broker: Broker, topic: str) -> None:
        async with broker.consumer([topic], topic) as stays, asyncio.TaskGroup() as group:
            async with broker.consumer([topic], topic) as leaves:
                await broker.publish(records(topic, "a"))
                await receive(leaves, 1)
                polling = group.create_task(stays.poll(1, PATIENCE))
                for _ in range(5):
                    await asyncio.sleep(0)
            assert values(await polling) == ["a"]

    async def test_a_closed_member_can_neither_poll_nor_commit(self, broker: Broker, topic: str) -> None:
        await broker.publish(records(topic, "a"))
        async with broker.consumer([topic], topic) as late:
            polled = await receive(late, 1)
        async with broker.consumer([topic], topic) as next_one:
            await late.commit(polled)
            with pytest.raises(Unavailable):
                await late.poll(1, 0)
            assert values(await receive(next_one, 1)) == ["a"]

    async def test_lag_leaves_out_what_was_committed_past_a_gap(self, broker: Broker, topic: str) -> None:
        await broker.publish(records(topic, "a", "b", "c", "d"))
        async with broker.consumer([topic], topic) as consumer:
            _, b, _ = await receive(consumer, 3)
            await consumer.commit([b])
            assert (await consumer.lag())[topic].records == 3

    async def test_a_tail_keeps_nothing_of_what_it_has_told(self, broker: Broker, topic: str) -> None:
        async with broker.tail(topic) as tail:
            await broker.publish(records(topic, "a", "b"))
            await receive(tail, 1)
            assert (await tail.lag())[topic].records == 1


class TestMemory(Embedded):
    @pytest.fixture
    async def store(self, clock: FakeClock) -> AsyncIterator[Store]:
        broker = memory.connect("memory://", clock)
        async with (store := Store(lambda: broker)).open:
            yield store


class TestSqlite(Embedded):
    @pytest.fixture(params=[None, Inline()], ids=["thread", "inline"])
    async def store(self, clock: FakeClock, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Store]:
        executor: Executor | None = request.param
        store = Store(lambda: sqlite.SqliteBroker(tmp_path / "broker.db", clock, executor))
        async with store.open:
            yield store


async def published(broker: Broker, *said: str) -> None:
    await broker.prepare(["t"])
    await broker.publish(records("t", *said))


async def everything(broker: Broker, group: str) -> list[str]:
    """What a new group gets, which starts at the oldest record."""
    async with broker.consumer(["t"], group) as consumer:
        found: list[str] = []
        while batch := await consumer.poll(10_000, 0):
            found += values(batch)
    return found


@pytest.fixture
async def broker(clock: FakeClock, tmp_path: Path) -> AsyncIterator[Broker]:
    async with sqlite.connect(f"sqlite:///{tmp_path}/broker.db", clock) as opened:
        yield opened


async def test_a_file_is_held_by_one_broker(broker: Broker, clock: FakeClock, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"broker\.db.*another process"):
        async with sqlite.SqliteBroker(tmp_path / "broker.db", clock):
            pass


async def test_single_publishes_at_the_same_time_are_all_there_in_the_order_of_their_calls(broker: Broker) -> None:
    await broker.prepare(["t"])
    await asyncio.gather(*(broker.publish(records("t", f"{number:03}")) for number in range(200)))

    assert await everything(broker, "g") == [f"{number:03}" for number in range(200)]


async def test_a_poll_that_is_cancelled_at_any_point_takes_nothing(broker: Broker) -> None:
    await published(broker, "a", "b")
    async with broker.consumer(["t"], "g") as consumer:
        for turns in range(4):
            polling = asyncio.create_task(consumer.poll(1, PATIENCE))
            for _ in range(turns):
                await asyncio.sleep(0)
            polling.cancel()
            await asyncio.wait([polling])
            assert polling.cancelled()
        assert values(await receive(consumer, 2)) == ["a", "b"]


async def test_a_publisher_that_is_cancelled_wakes_the_consumer_all_the_same(broker: Broker) -> None:
    await broker.prepare(["t"])
    async with broker.consumer(["t"], "g") as consumer:
        publishing = asyncio.create_task(broker.publish(records("t", "a")))
        await asyncio.sleep(0)
        publishing.cancel()
        assert values(await receive(consumer, 1)) == ["a"]
    assert publishing.cancelled()


async def test_records_are_deleted_a_week_after_every_group_finished_them(broker: Broker, clock: FakeClock) -> None:
    await published(broker, "old")
    async with broker.consumer(["t"], "slow") as slow:
        clock.advance(8 * DAY)
        await broker.publish(records("t", "unfinished is kept"))
        assert await everything(broker, "new") == ["old", "unfinished is kept"]
        await slow.commit(await receive(slow, 2))
    async with broker.consumer(["t"], "new") as new:
        await new.commit(await receive(new, 2))
    clock.advance(6 * DAY)
    await broker.publish(records("t", "young"))

    assert await everything(broker, "newer") == ["unfinished is kept", "young"]


async def test_how_long_finished_records_stay_is_the_operators_choice(clock: FakeClock, tmp_path: Path) -> None:
    async with sqlite.connect(f"sqlite:///{tmp_path}/broker.db", clock, retention=3600.0) as broker:
        await published(broker, "old")
        clock.advance(2 * 3600.0)
        await broker.publish(records("t", "young"))
        assert await everything(broker, "new") == ["young"]


async def test_much_is_deleted_in_slices_one_with_each_publish(broker: Broker, clock: FakeClock) -> None:
    await published(broker, *map(str, range(2500)))
    clock.advance(8 * DAY)
    left = []
    for number in range(4):
        await broker.publish(records("t", f"new {number}"))
        async with broker.consumer(["t"], f"probe {number}") as probe:
            left.append((await probe.lag())["t"].records)
            await probe.commit(await receive(probe, left[-1]))

    assert left == [1501, 502, 3, 4]


async def test_an_offset_is_not_used_again_when_everything_before_it_is_deleted(
    clock: FakeClock, tmp_path: Path
) -> None:
    offsets = []
    for turn in ("a", "b", "c"):
        async with sqlite.SqliteBroker(tmp_path / "broker.db", clock) as broker:
            await published(broker, turn)
            async with broker.consumer(["t"], "g") as consumer:
                polled = await receive(consumer, 1)
                await consumer.commit(polled)
            offsets.append(polled[0].offset)
            clock.advance(8 * DAY)

    assert offsets == [1, 2, 3]


async def publish_until_killed(path: str) -> None:
    """The child of the test below: a line is written once its record is durable, so it is a promise."""
    async with sqlite.SqliteBroker(Path(path), FakeClock()) as broker:
        await broker.prepare(["t"])
        numbers = itertools.count()

        async def publisher() -> None:
            for number in numbers:
                await broker.publish(records("t", str(number)))
                os.write(1, b"%d\n" % number)

        await asyncio.gather(publisher(), publisher(), publisher())


async def test_every_record_whose_publish_returned_survives_a_kill(clock: FakeClock, tmp_path: Path) -> None:
    path = tmp_path / "broker.db"
    child = await asyncio.create_subprocess_exec(sys.executable, __file__, str(path), stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    try:
        promised = [await child.stdout.readline() for _ in range(300)]
    finally:
        child.kill()
    rest, _ = await child.communicate()
    promised += rest.splitlines()
    async with sqlite.SqliteBroker(path, clock) as broker:
        kept = await everything(broker, "g")

    assert len(promised) >= 300
    assert {line.decode().strip() for line in promised} <= set(kept)
    assert len(kept) == len(set(kept)) <= len(promised) + 3


if __name__ == "__main__":
    asyncio.run(publish_until_killed(sys.argv[1]))
