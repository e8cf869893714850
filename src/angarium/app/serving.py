"""Serving HTTP from an open socket, without taking the process's signals."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from angarium.errors import Misconfigured

#: Seconds that requests under way get when the server stops.
GRACE = 5


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The composition root takes them: two servers of one process would each take the other's."""
        yield


def bind(listen: str, key: str) -> socket.socket:
    """A listening socket for `host:port`. Raises `Misconfigured` naming the setting."""
    host, _, port = listen.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host.strip("[]"), int(port)))
    except OSError as error:
        opened.close()
        mend = f"{listen} cannot be had ({error.strerror}): stop what listens there, or choose another port"
        raise Misconfigured(key, "the configuration", mend) from error
    opened.listen(2048)
    return opened


def url(bound: socket.socket) -> str:
    """How a bound socket is reached from this machine."""
    host, port = bound.getsockname()[:2]
    near = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{near}:{port}"


@asynccontextmanager
async def serve(application: Any, bound: socket.socket) -> AsyncIterator[None]:
    """Serve an ASGI application until the context ends; requests under way are answered first."""
    config = uvicorn.Config(
        application,
        http="httptools",
        loop="none",
        lifespan="off",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    server = _Server(config)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server.serve(sockets=[bound]))
        try:
            await asyncio.wait({serving, group.create_task(server.listening.wait())}, return_when="FIRST_COMPLETED")
            yield
        finally:
            server.should_exit = True


def is_loopback(bound: socket.socket) -> bool:
    """Whether only this machine can reach it."""
    host = str(bound.getsockname()[0])
    return host == "::1" or host.startswith("127.")
