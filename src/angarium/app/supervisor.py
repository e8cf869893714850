"""Keeps loops running: a dead one is replaced after a pause, a stop is waited for as long as the drain allows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence

from angarium.app.build import Role, Runner
from angarium.errors import Incompatible
from angarium.pipeline.sender import Sender
from angarium.pipeline.worker import TooManyDead, Worker
from angarium.ports.broker import Consumer
from angarium.telemetry.metrics import Metrics

#: Seconds before a dead loop is replaced: the first time, and at most.
FIRST, LONGEST = 0.5, 30.0
log = logging.getLogger(__name__)


class Keeper:
    """One role: its present loop, and why it is not running, if it is not."""

    def __init__(self, role: Role, metrics: Metrics) -> None:
        self.role, self._metrics = role, metrics
        self.runner: Runner | None = None
        self.ailing: str | None = None
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let the loop finish; it is not replaced any more."""
        self._stopping.set()
        if self.runner is not None:
            self.runner.stop()

    async def keep(self) -> None:
        """Run the role until `stop`. What a newer version wrote, and a flood of dead letters, need a person."""
        pause = FIRST
        while not self._stopping.is_set():
            started = asyncio.get_running_loop().time()
            self.runner = self.role.make()
            try:
                await self.runner.run()
            except* (Incompatible, TooManyDead) as group:
                self._fell(group)
                await self._stopping.wait()
            except* Exception as group:
                self._fell(group)
                self._metrics.restarted()
                pause = FIRST if asyncio.get_running_loop().time() - started > LONGEST else pause
                await self._rest(pause)
                pause = min(2 * pause, LONGEST)

    def _fell(self, group: BaseExceptionGroup[BaseException]) -> None:
        causes = list(_leaves(group))
        self.ailing = f"{self.role.name}: {causes[0]}"
        log.error("a worker ended unasked", extra={"worker": self.role.name}, exc_info=causes[0])

    async def _rest(self, pause: float) -> None:
        try:
            async with asyncio.timeout(pause):
                await self._stopping.wait()
        except TimeoutError:
            self.ailing = None


class Supervisor:
    """All roles of a process, as an async context manager: leaving it drains for up to `drain` seconds."""

    def __init__(self, roles: Sequence[Role], metrics: Metrics, drain: float) -> None:
        self.keepers = [Keeper(role, metrics) for role in roles]
        self._drain = drain
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Supervisor:
        self._tasks = {asyncio.create_task(keeper.keep(), name=keeper.role.name) for keeper in self.keepers}
        return self

    async def __aexit__(self, *_: object) -> None:
        for keeper in self.keepers:
            keeper.stop()
        _done, late = await asyncio.wait(self._tasks, timeout=self._drain)
        for task in late:
            log.warning("a worker did not finish in time, what it held comes again", extra={"worker": task.get_name()})
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def runners(self) -> list[Runner]:
        """The loops of the moment."""
        return [keeper.runner for keeper in self.keepers if keeper.runner is not None]

    def consumers(self) -> list[tuple[str, Consumer]]:
        """Each loop's group and consumer."""
        return [(r.name, r.consumer) for r in self.runners if isinstance(r, Worker | Sender)]

    def ailing(self) -> list[str]:
        """Why the process is not ready: dead loops, and stores that are waited for."""
        stuck = [f"{r.insist.name}: {r.insist.stuck}" for r in self.runners if r.insist.stuck is not None]
        return [keeper.ailing for keeper in self.keepers if keeper.ailing is not None] + stuck


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
