"""The little of ASGI that the raw endpoints need: headers, a bounded body, an answer.

ASGI 3.0 (https://asgi.readthedocs.io/en/latest/specs/www.html).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from msgspec import Struct

from angarium.api.problems import Answer, Declined

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Seconds in which a body must have come.
PATIENCE = 30.0


class Gone(Exception):
    """The client went away before its request was whole. Nobody hears an answer."""


class Ceiling(Struct, frozen=True):
    """The most bytes of a body: of one event, and of several. Which holds may show only at its first byte."""

    one: int
    many: int

    def of(self, start: bytes) -> int:
        """The limit of a body that begins so: an object is one event."""
        return self.one if start.lstrip()[:1] == b"{" else self.many


def headers(scope: Scope) -> dict[str, str]:
    """Names in lower case; of a repeated one the last counts."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def patient(receive: Receive) -> Receive:
    """The same `receive`, but raising `Declined` (408) once the body has taken longer than `PATIENCE`."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    whole = False

    async def received() -> MutableMapping[str, Any]:
        nonlocal whole
        if whole:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise Declined(HTTPStatus.REQUEST_TIMEOUT, "the body came too slowly", "send it again") from None
        whole = not message.get("more_body", False)
        return message

    return received


async def body(receive: Receive, declared: str | None, ceiling: Ceiling) -> bytes:
    """The whole body. `declared` is the header `content-length`.

    Raises `Declined` (413) before more than the limit is kept, or `Gone`.
    """
    announced = int(declared) if declared and declared.isdecimal() and len(declared) < 19 else 0
    if announced > ceiling.many:
        raise _too_large(ceiling.many)
    piece, more = await _piece(receive)
    limit, pieces, size = ceiling.of(piece), [piece], len(piece)
    while more and max(announced, size) <= limit:
        piece, more = await _piece(receive)
        pieces.append(piece)
        size += len(piece)
    if max(announced, size) > limit:
        raise _too_large(limit)
    return piece if len(pieces) == 1 else b"".join(pieces)


async def _piece(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Gone
    return message.get("body", b""), message.get("more_body", False)


def _too_large(limit: int) -> Declined:
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    mend = f"send at most {limit} bytes, or a reference instead of the data"
    return Declined(status, "the body is too large", mend, headers={"connection": "close"})


async def answer(send: Send, reply: Answer) -> None:
    """Send a whole answer."""
    named = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
    length = (b"content-length", b"%d" % len(reply.body))
    await send({"type": "http.response.start", "status": reply.status, "headers": [*named, length]})
    await send({"type": "http.response.body", "body": reply.body})
