"""A server that breaks the rules of HTTP on purpose, and the helpers with which tests watch a client survive it."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from angarium.ports.transport import Request, Response
from angarium.transport.errors import CallFailed
from angarium.transport.http1 import Http1

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-kind: plain\r\n\r\nhello"


class Peer:
    """One accepted connection, as a script sees it. `number` counts from 1."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number, self.reader, self.writer = number, reader, writer

    async def head(self) -> bytes:
        """The head of the next request."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def request(self) -> bytes:
        """The next request, head and body."""
        head = await self.head()
        length = re.search(rb"content-length: (\d+)", head)
        return head + (await self.reader.readexactly(int(length[1])) if length else b"")

    async def send(self, data: bytes) -> None:
        """Raises `ConnectionError` when the client is gone, where one of the loops would raise `RuntimeError`."""
        if self.writer.is_closing():
            raise ConnectionResetError
        self.writer.write(data)
        await self.writer.drain()

    async def close(self) -> None:
        """Say goodbye in both directions."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    def half_close(self) -> None:
        self.writer.write_eof()

    def reset(self) -> None:
        """Answer everything with RST from here on."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Return when the client has closed."""
        with suppress(OSError):
            while await self.reader.read(65536):
                pass


Script = Callable[[Peer], Awaitable[None]]


class Hostile:
    """Listens on 127.0.0.1 and plays `script` to every connection; after it, waits for the client to close."""

    def __init__(self, script: Script, context: ssl.SSLContext | None = None) -> None:
        self.script, self.context = script, context
        self.peers: list[Peer] = []
        self.present: set[asyncio.Task[None]] = set()
        self.errors: list[Exception] = []

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.context)
        self.port = int(self.server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.close()
        for peer in self.peers:
            peer.writer.transport.abort()
        await asyncio.gather(*self.present)
        await self.server.wait_closed()
        if not kind:
            assert self.errors == [], [repr(error) for error in self.errors]

    @property
    def accepted(self) -> int:
        return len(self.peers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?a=1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me is not None
        peer = Peer(self.accepted + 1, reader, writer)
        self.peers.append(peer)
        self.present.add(me)
        try:
            await self.script(peer)
            await peer.gone()
        except (OSError, asyncio.IncompleteReadError):
            pass
        except Exception as error:  # told when the server is left
            self.errors.append(error)
        finally:
            self.present.discard(me)
            await peer.close()

    async def abandoned(self) -> None:
        """Every client has closed, within a second."""
        await until(lambda: not self.present)


async def until(happened: Callable[[], object], seconds: float = 1.0) -> None:
    """Turn the loop until something is so."""
    async with asyncio.timeout(seconds):
        while not happened():  # noqa: ASYNC110  # what is waited for is often a file descriptor
            await asyncio.sleep(0)


def sockets() -> int:
    """How many sockets this process has open."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            links.append(os.readlink(descriptor))
    return sum(link.startswith("socket:") for link in links)


def answering(*pieces: bytes) -> Script:
    """Answers each request with one of the pieces; after the last one the connection stays open."""

    async def script(peer: Peer) -> None:
        for piece in pieces:
            await peer.request()
            await peer.send(piece)

    return script


def mute(asked: asyncio.Event) -> Script:
    """Reads a request, says so, and never answers."""

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()

    return script


async def polite(peer: Peer) -> None:
    """Answers for as long as it is asked, with the number of its connection."""
    while True:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n%d" % peer.number)


@asynccontextmanager
async def stage(script: Script, http: Http1 | None = None) -> AsyncIterator[tuple[Http1, Hostile]]:
    """A server with this script and a client; in the end no socket of either is left open."""
    before = sockets()
    async with http or Http1() as client, Hostile(script) as server:
        yield client, server
    await until(lambda: sockets() == before)


async def ask(
    http: Http1, url: str, *, timeout: float = 5.0, method: str = "POST", body: bytes = b"{}", guarded: bool = False
) -> Response:
    return await http.call(Request(method=method, url=url, body=body, timeout=timeout, guarded=guarded))


async def fail(
    http: Http1, url: str, *, timeout: float = 5.0, body: bytes = b"{}", guarded: bool = False
) -> tuple[str, bool]:
    """The reason of a call that must fail, and whether anything was written; it ends a second late at most."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    try:
        response = await ask(http, url, timeout=timeout, body=body, guarded=guarded)
    except CallFailed as error:
        assert not loop.time() - start > max(timeout, 0) + 1
        return str(error.reason), error.written
    raise AssertionError(f"there was an answer: {response.status}")


async def outcome(http: Http1, url: str) -> str:
    """The status of the answer, or the reason why there was none."""
    try:
        return str((await ask(http, url)).status)
    except CallFailed as error:
        return str(error.reason)


def resolving(*answers: Sequence[str]) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """A resolver that tells these answers one after the other, and fails when it is asked once more."""
    left = iter(answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        found = next(left, None)
        assert found is not None, f"asked again for {host}:{port}"
        return found

    return resolve
