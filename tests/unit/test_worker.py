"""The batch loop: what happens when a handler, a store or the broker fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from angarium.brokers.memory import MemoryBroker
from angarium.database import rows, tables
from angarium.database.engine import MEMORY, Database
from angarium.errors import Incompatible, Unavailable
from angarium.pipeline.handler import Outcome
from angarium.pipeline.publishing import Stores, publish
from angarium.pipeline.topics import Topics
from angarium.pipeline.worker import DEAD_IN_A_ROW, TooManyDead, Worker
from angarium.ports.broker import Batch, Record
from angarium.telemetry.metrics import Metrics
from angarium.testing import FakeClock


class Copier:
    """A handler that copies records to `out`; it chokes on "poison" and stops at "future"."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def gather(self, _connection: Any, batch: Batch) -> None:
        self.batches.append(len(batch))

    def decide(self, batch: Batch, _gathered: None) -> Outcome:
        for record in batch:
            if record.value == b"poison":
                raise ValueError("the secret is in here")
            if record.value == b"future":
                raise Incompatible(2)
        return Outcome(publish=tuple(Record("out", record.key, record.value) for record in batch))


@asynccontextmanager
async def line() -> AsyncIterator[tuple[Worker, MemoryBroker, Database, Copier]]:
    clock = FakeClock()
    broker, database, handler = MemoryBroker(clock), Database(MEMORY), Copier()
    async with AsyncExitStack() as stack:
        for store in (broker, database):
            await stack.enter_async_context(store)
        await broker.prepare(["in", "out", Topics().dead])
        stores = Stores(broker, database, clock, Metrics(version="test"), Topics())
        worker = Worker("copier", broker.consumer(["in"], "copier"), handler, stores)
        await stack.enter_async_context(worker.consumer)
        yield worker, broker, database, handler


async def put(broker: MemoryBroker, *values: bytes) -> None:
    await broker.publish([Record("in", str(index), value) for index, value in enumerate(values)])


async def held(broker: MemoryBroker, topic: str) -> list[bytes]:
    async with broker.consumer([topic], "reader") as consumer:
        return [record.value for record in await consumer.poll(1000, 0)]


async def letters(database: Database) -> Sequence[rows.Found]:
    return await database.read(rows.everything, tables.dead, ("value", "reason", "detail"))


async def test_a_batch_is_published_and_committed() -> None:
    async with line() as (worker, broker, _, handler):
        await put(broker, b"a", b"b")
        assert await worker.step() == 2
        assert await held(broker, "out") == [b"a", b"b"]
        assert (await worker.consumer.lag())["in"].records == 0
        assert handler.batches == [2]


async def test_the_record_that_chokes_the_handler_dies_alone() -> None:
    async with line() as (worker, broker, database, _):
        await put(broker, b"a", b"poison", b"b")
        await worker.step()
        assert await held(broker, "out") == [b"a", b"b"]
        assert await held(broker, Topics().dead) == [b"poison"]
        assert await letters(database) == [(b"poison", "handler_error", "ValueError")]


async def test_a_flood_of_deaths_stops_the_worker() -> None:
    async with line() as (worker, broker, _, __):
        await put(broker, *[b"poison"] * (DEAD_IN_A_ROW + 1))
        with pytest.raises(TooManyDead):
            await worker.step()


async def test_a_newer_record_stops_the_worker_and_is_not_lost() -> None:
    async with line() as (worker, broker, database, _):
        await put(broker, b"future")
        with pytest.raises(Incompatible, match="upgrade"):
            await worker.step()
        assert await letters(database) == []
        assert (await worker.consumer.lag())["in"].records == 1


async def test_a_refused_record_is_kept_and_its_siblings_are_published() -> None:
    async with line() as (worker, broker, database, _):
        await publish(
            worker.stores,
            worker.insist,
            [Record("out", "1", b"a"), Record("nowhere", "2", b"b"), Record("out", "3", b"c")],
        )
        await publish(worker.stores, worker.insist, [Record("nowhere", "2", b"d")])
        assert await held(broker, "out") == [b"a", b"c"]
        assert sorted(row[:2] for row in await letters(database)) == [
            (b"b", "refused_by_broker"),
            (b"d", "refused_by_broker"),
        ]


async def test_an_effect_is_repeated_while_its_store_is_away() -> None:
    async with line() as (worker, _, __, ___):
        calls = iter([Unavailable("broker"), Unavailable("broker"), None])
        stuck: list[str | None] = []

        async def effect() -> str:
            stuck.append(worker.insist.stuck)
            if error := next(calls):
                raise error
            return "done"

        assert await worker.insist(effect) == "done"
        assert stuck == [None, "broker is unavailable", "broker is unavailable"]
        assert worker.insist.stuck is None
