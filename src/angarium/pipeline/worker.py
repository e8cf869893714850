"""The batch loop of Router, Dispatcher and Timers. The law: save, publish, commit; nothing is decided twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from angarium.database.dead import DeadLetter
from angarium.database.dead import save as save_dead
from angarium.errors import AngariumError, Incompatible, Unavailable
from angarium.model.reasons import Reason
from angarium.pipeline.handler import Handler, Outcome, Write, letter, perform
from angarium.pipeline.insist import Insistence
from angarium.pipeline.publishing import Stores, publish
from angarium.ports.broker import Batch, Consumer, Record

#: Records of one batch, and seconds to wait for the first.
LIMIT, WAIT = 500, 0.5
#: So many records dead one after another are a defect of ours, not of theirs: the worker stops.
DEAD_IN_A_ROW = 100
log = logging.getLogger(__name__)


class TooManyDead(AngariumError):
    """One record after another cannot be handled: somebody must look before more of them go to the dead letters."""


First = Callable[[], Awaitable[object]]
Slices = Callable[[Batch], Iterable[Batch]]


async def _nothing() -> None:
    """There is nothing to do before the first batch."""


def _whole(batch: Batch) -> Iterable[Batch]:
    return (batch,)


class Worker:
    """Runs one handler over one consumer until `stop`; then what was begun is finished and committed.

    `first` is done before anything is polled. `slices` cuts a batch whose outcome would be too large to hold.
    """

    def __init__(
        self,
        name: str,
        consumer: Consumer,
        handler: Handler[Any],
        stores: Stores,
        *,
        limit: int = LIMIT,
        wait: float = WAIT,
        first: First = _nothing,
        slices: Slices = _whole,
    ) -> None:
        self.name, self.consumer, self.handler, self.stores = name, consumer, handler, stores
        self.limit, self.wait, self._first, self._slices = limit, wait, first, slices
        self.insist = Insistence(name)
        self._stopping = asyncio.Event()
        self._late: list[Write] = []
        self._dead_in_a_row = 0

    def stop(self) -> None:
        """Poll no more; `run` returns when the last batch is committed."""
        self._stopping.set()

    async def run(self) -> None:
        """Raises `Incompatible` for a record of a newer version, `TooManyDead`, or what is a defect."""
        await self._first()
        async with self.consumer, asyncio.TaskGroup() as group:
            finishing: asyncio.Task[None] | None = None
            while not self._stopping.is_set():
                batch = await self.insist(self.consumer.poll, self.limit, self.wait)
                self.stores.metrics.polled(self.name, self.stores.clock.now())
                if not batch:
                    await self.tidy()
                    continue
                for part in self._slices(batch):
                    outcome = await self.decide(part)
                    if finishing is not None:
                        await finishing
                    finishing = group.create_task(self.finish(part, outcome))
        await self.tidy()

    async def step(self) -> int:
        """One batch from poll to commit, without waiting for one; how many records it held. For tests."""
        batch = await self.consumer.poll(self.limit, 0)
        for part in self._slices(batch) if batch else ():
            await self.finish(part, await self.decide(part))
        await self.tidy()
        return len(batch)

    async def decide(self, batch: Batch) -> Outcome:
        """The batch's outcome, saved. If the handler raises, each record is asked for alone: one is the cause."""
        late, self._late = self._late, []
        try:
            outcome = await self.insist(self.stores.database.write, perform, self.handler, batch, late)
        except Incompatible:
            raise
        except Exception as error:
            self._late = late + self._late
            log.warning("a batch failed, its records are run singly: %s", type(error).__name__)
            return await self.decide_singly(batch)
        self._dead_in_a_row = 0
        return outcome

    async def decide_singly(self, batch: Batch) -> Outcome:
        """One transaction a record; the one that raises goes to the dead letters."""
        outcomes = [await self.decide_one(record) for record in batch]
        return Outcome(
            publish=tuple(record for outcome in outcomes for record in outcome.publish),
            dead=tuple(dead for outcome in outcomes for dead in outcome.dead),
            after=tuple(write for outcome in outcomes for write in outcome.after),
            counts=tuple(count for outcome in outcomes for count in outcome.counts),
        )

    async def decide_one(self, record: Record) -> Outcome:
        """The outcome of one record. The error's text may hold data, so only its type is kept."""
        try:
            outcome = await self.insist(self.stores.database.write, perform, self.handler, [record], ())
        except Incompatible:
            raise
        except Exception as error:
            log.exception("a record cannot be handled", extra={"worker": self.name, "offset": record.offset})
            self._dead_in_a_row += 1
            if self._dead_in_a_row > DEAD_IN_A_ROW:
                raise TooManyDead(f"{self.name}: {DEAD_IN_A_ROW} records in a row could not be handled") from error
            dead = self.bury(record, Reason.handler_error, type(error).__name__)
            await self.insist(self.stores.database.write, save_dead, [dead])
            return Outcome(dead=(dead,))
        self._dead_in_a_row = 0
        return outcome

    async def finish(self, batch: Batch, outcome: Outcome) -> None:
        """Publish, then commit: after a crash in between the batch is seen again and decides nothing new."""
        letters = [Record(self.stores.topics.dead, dead.key, dead.value) for dead in outcome.dead]
        await publish(self.stores, self.insist, [*outcome.publish, *letters])
        for dead in outcome.dead:
            self.stores.metrics.dead(dead.reason)
        for metric, labels in outcome.counts:
            getattr(self.stores.metrics, metric)(*labels)
        self._late.extend(outcome.after)
        await self.insist(self.consumer.commit, batch)

    def bury(self, record: Record, reason: Reason, detail: str) -> DeadLetter:
        """The dead letter of a record, as of now."""
        return letter(record, reason, detail, self.stores.clock.now())

    async def tidy(self) -> None:
        """Perform what was left for later, now that there is time. What cannot be done now is left again."""
        late, self._late = self._late, []
        if late:
            try:
                await self.stores.database.write(_write, late)
            except Unavailable:
                self._late = late + self._late


def _write(connection: Any, late: list[Write]) -> None:
    for write in late:
        write.query(connection, *write.rows)
