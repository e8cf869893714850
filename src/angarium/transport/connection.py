"""One HTTP/1.1 connection: a protocol of the loop with a future per call, and no task."""

from __future__ import annotations

import asyncio
import math
import select
from collections.abc import Callable
from typing import Protocol, cast

from angarium.model.reasons import Reason
from angarium.ports.transport import Response
from angarium.transport.errors import CallFailed
from angarium.transport.reading import Malformed, Reading

#: Seconds of idleness after which we ask the kernel whether the server has closed a kept connection.
SURELY_ALIVE = 0.1

Answer = Response | CallFailed


class Owner(Protocol):
    """Who hears what becomes of a connection."""

    def joined(self, connection: Connection) -> None:
        """It is connected."""

    def leave(self, connection: Connection) -> None:
        """It must not be used again."""

    def lost(self, connection: Connection) -> None:
        """Its socket is closed."""


class Connection(asyncio.Protocol):
    """Carries one call at a time. `keep` is called when a complete answer leaves it fit for another one."""

    def __init__(self, owner: Owner, keep: Callable[[Connection], None]) -> None:
        self.owner, self.keep = owner, keep
        self.loop = asyncio.get_running_loop()
        self.reading = Reading()
        self.future: asyncio.Future[Answer] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.due = self.wakes = math.inf
        self.rested = 0.0
        self.dead = False

    # A call

    def begin(self, data: bytes, due: float, *, bodiless: bool) -> asyncio.Future[Answer]:
        """Write a request; the future gets its answer or its failure by loop time `due`. `bodiless`: it was a HEAD."""
        self.reading.start(bodiless=bodiless)
        self.future = future = self.loop.create_future()
        self.transport.write(data)
        self.watch(due)
        return future

    def forsake(self, future: asyncio.Future[Answer]) -> None:
        """Nobody waits for this call any more. Another one may be under way here: that one is left alone."""
        if self.future is future:
            self.drop()

    def finish(self) -> None:
        """Hand the answer over; first give the connection back, so that whoever waits finds it.

        An answer that came before its request was written to the end leaves bytes that the next request would follow.
        """
        if self.reading.reusable and not self.dead and not self.transport.get_write_buffer_size():
            self.keep(self)
        else:
            self.drop()
        self.tell(self.reading.answer())

    def fail(self, reason: Reason) -> None:
        """End the call that is under way, if any, and the connection with it."""
        self.drop()
        self.tell(CallFailed(reason, written=True))

    def tell(self, answer: Answer) -> None:
        """Whoever waits goes on, unless he was cancelled."""
        future, self.future = self.future, None
        if future is not None and not future.done():
            future.set_result(answer)

    # Its life

    def is_alive(self) -> bool:
        """Whether it may be written to. After some idleness the kernel is asked: a readable idle socket has ended."""
        if self.is_ending():
            return False
        if self.loop.time() - self.rested < SURELY_ALIVE:
            return True
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def is_ending(self) -> bool:
        """Whether it is closed, or the loop has closed it and tells so at its next turn."""
        return self.dead or self.transport.is_closing()

    def rest(self, seconds: float) -> None:
        """Wait for the next call, at most so long."""
        self.rested = self.loop.time()
        self.watch(self.rested + seconds)

    def watch(self, due: float) -> None:
        """End at loop time `due`.

        The timer outlives the call, and one that fires too early is set again: a busy connection sets one per deadline
        and not one per call.
        """
        self.due = due
        if due < self.wakes:
            if self.timer is not None:
                self.timer.cancel()
            self.wakes = due
            self.timer = self.loop.call_at(due, self.wake)

    def wake(self) -> None:
        """A deadline may be over."""
        self.timer, self.wakes = None, math.inf
        if self.loop.time() < self.due:
            self.watch(self.due)
        else:
            self.fail(Reason.timeout)

    def drop(self) -> None:
        """Close at once. What was not written yet is thrown away; TLS says no goodbye."""
        if not self.dead:
            self.dead = True
            self.owner.leave(self)
            if self.timer is not None:
                self.timer.cancel()
            self.transport.abort()

    # What the loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected, with TLS where asked for."""
        self.transport = cast("asyncio.Transport", transport)
        if self.dead:
            self.transport.abort()
        else:
            self.owner.joined(self)

    def data_received(self, data: bytes) -> None:
        """Read on. What a server sends unasked is never taken for an answer."""
        if self.future is None:
            return self.drop()
        try:
            self.reading.feed(data)
        except Malformed:
            return self.fail(Reason.garbage)
        if self.reading.complete:
            self.finish()
        return None

    def eof_received(self) -> None:
        """The end of the stream is the end of a body without length, and a reset in all other places."""
        self.reading.end()
        if self.future is not None and self.reading.complete:
            self.finish()
        else:
            self.fail(Reason.reset_after_write)

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is closed."""
        self.fail(Reason.reset_after_write)
        self.owner.lost(self)
