"""A small HTTP/1.1 server on asyncio and httptools.

It is ours because a stand-in must be able to do what no framework offers: never answer, or reset the connection after
the request was read. It is also the load target of benchmarks, so a request costs no coroutine and no framework.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Protocol, cast

import httptools
from msgspec import Struct

from angarium.errors import Misconfigured
from angarium.ports.transport import Response

MAX_BODY = 1024 * 1024
MAX_HEAD = 32 * 1024
MAX_PIPELINED = 64
PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Incoming(Struct, frozen=True, kw_only=True):
    """One whole request. `path` and `query` are as they came, still percent-encoded; header names are lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Reply(Protocol):
    """The answer that one request waits for: one of these is called once, or none at all, and the client hangs."""

    def send(self, response: Response) -> None:
        """Answer. Does nothing when the client has gone."""
        ...

    def reset(self) -> None:
        """Close the connection with RST instead of an answer."""
        ...


Handler = Callable[[Incoming, Reply], None]


class Connection(asyncio.Protocol):
    """One client. Requests are handled one after another, so it is itself the `Reply` to the present one."""

    def __init__(self, handler: Handler, connections: set[Connection]) -> None:
        self._handler, self._connections = handler, connections
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Incoming, bool]] = deque()
        self._busy = self._keep = False
        self._refusal: HTTPStatus | None = None
        self.on_message_begin()

    # What the loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client gave up or we closed: a late answer goes nowhere."""
        self._transport = None
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Parse first and handle after, so that a defect of the handler is not taken for bad input."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refusal = HTTPStatus.BAD_REQUEST
        if self._refusal is not None or len(self._waiting) > MAX_PIPELINED:
            self._refuse(self._refusal or HTTPStatus.TOO_MANY_REQUESTS)
        else:
            self._turn()

    # What the parser tells.

    def on_message_begin(self) -> None:
        """A new request starts."""
        self._url = b""
        self._headers: dict[str, str] = {}
        self._head = self._size = 0
        self._body: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._url += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A whole header; of a repeated one the last counts."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        self._count_head(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        """Some clients wait for leave before they send a body."""
        if self._headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """A piece of the body, its chunks already undone."""
        self._size += len(body)
        if self._size > MAX_BODY:
            self._refusal = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        path, _, query = self._url.decode("latin-1").partition("?")
        method = self._parser.get_method().decode("latin-1")
        body = b"".join(self._body)
        incoming = Incoming(method=method, path=path, query=query, headers=self._headers, body=body)
        self._waiting.append((incoming, self._parser.should_keep_alive()))

    # What the handler tells.

    def send(self, response: Response) -> None:
        """Write the answer and go on with the next request."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(encode(response, keep=self._keep))
        self._busy = False
        if not self._keep:
            self._transport.close()
        elif self._waiting:
            asyncio.get_running_loop().call_soon(self._turn)

    def reset(self) -> None:
        """Close with RST: a linger of zero seconds throws away what is unsent and tells the peer so."""
        if self._transport is not None:
            peer = self._transport.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def close(self) -> None:
        """The server stops."""
        if self._transport is not None:
            self._transport.abort()

    def _turn(self) -> None:
        if self._waiting and not self._busy and self._transport is not None:
            self._busy = True
            incoming, self._keep = self._waiting.popleft()
            self._handler(incoming, self)

    def _count_head(self, size: int) -> None:
        self._head += size
        if self._head > MAX_HEAD:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE

    def _refuse(self, status: HTTPStatus) -> None:
        self._waiting.clear()
        self._keep = False
        self.send(Response(status=status))


def encode(response: Response, *, keep: bool) -> bytes:
    """The bytes of an HTTP/1.1 answer. A 204 has no length (RFC 9110, 8.6)."""
    lines = [f"HTTP/1.1 {response.status} {PHRASES.get(response.status, '')}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    if response.status != HTTPStatus.NO_CONTENT:
        lines.append(f"content-length: {len(response.body)}")
    if not keep:
        lines.append("connection: close")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + response.body


@asynccontextmanager
async def listening(handler: Handler, host: str, port: int) -> AsyncIterator[str]:
    """Serve until the context ends; gives `http://host:port` with the port that was bound. Takes no signals.

    Raises `Misconfigured` when the port cannot be had.
    """
    connections: set[Connection] = set()
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(lambda: Connection(handler, connections), host, port)
    except OSError as error:
        mend = f"the port cannot be opened ({error.strerror or 'unknown cause'}): free it, or choose another"
        raise Misconfigured("sandbox.listen", "the settings", mend) from error
    shown = f"[{host}]" if ":" in host else host
    try:
        yield f"http://{shown}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for connection in tuple(connections):
            connection.close()
        await server.wait_closed()
