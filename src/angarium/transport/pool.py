"""Kept connections: the one used last is used first, so that those not needed grow old and close."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from angarium.transport.connection import Connection


class Key(NamedTuple):
    """What two requests must have in common to share a connection.

    `guarded` is part of it: a connection opened for an operator's URL may lead where a tenant's must not.
    """

    tls: bool
    host: str
    port: int
    guarded: bool


class Pool:
    """Every open connection of one client. `max_idle` in seconds, `max_kept` idle connections over all origins."""

    def __init__(self, max_idle: float, max_kept: int) -> None:
        self.max_idle, self.max_kept = max_idle, max_kept
        self.open: set[Connection] = set()
        self.idle: dict[Connection, Key] = {}
        self.stacks: dict[Key, list[Connection]] = {}
        self.closing = False
        self.emptied = asyncio.Event()

    def take(self, key: Key) -> Connection | None:
        """An idle connection that is alive as far as anybody can see, or None."""
        stack = self.stacks.get(key)
        while stack:
            connection = stack.pop()
            if not stack:
                del self.stacks[key]
            del self.idle[connection]
            if connection.is_alive():
                return connection
            connection.drop()
        return None

    def give(self, connection: Connection, key: Key) -> None:
        """Keep a connection whose answer was complete. When there are too many, the one idle for longest goes."""
        if self.max_kept < 1:
            return connection.drop()
        if len(self.idle) >= self.max_kept:
            next(iter(self.idle)).drop()
        connection.rest(self.max_idle)
        self.idle[connection] = key
        self.stacks.setdefault(key, []).append(connection)
        return None

    def joined(self, connection: Connection) -> None:
        """It is connected."""
        self.open.add(connection)

    def leave(self, connection: Connection) -> None:
        """It must not be used again: it is closed, or will be at the loop's next turn."""
        key = self.idle.pop(connection, None)
        if key is not None:
            stack = self.stacks[key]
            stack.remove(connection)
            if not stack:
                del self.stacks[key]

    def lost(self, connection: Connection) -> None:
        """Its socket is closed."""
        self.open.discard(connection)
        if not self.open:
            self.emptied.set()

    def forsake(self, connection: Connection) -> None:
        """Whoever opened it gave up. Some loops then close the socket and never say so; others still make it."""
        if connection in self.open:
            connection.drop()
            self.lost(connection)
        connection.dead = True

    async def close(self) -> None:
        """Drop every connection, and return when the last of their sockets is closed."""
        self.closing = True
        for connection in list(self.open):
            connection.drop()
        while self.open:
            self.emptied.clear()
            await self.emptied.wait()
