"""One HTTP call, as providers see it. They never learn which client makes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct


class Request(Struct, frozen=True, kw_only=True):
    """`url` is absolute. `timeout` is the total deadline in seconds: connecting, writing and reading together.

    `guarded` says that a tenant named the URL: the peer's address is judged before a byte is written.
    """

    method: str = "POST"
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""
    timeout: float = 15.0
    guarded: bool = False


class Response(Struct, frozen=True, kw_only=True):
    """Header names are lower case. `body` is cut at the client's cap, and `truncated` says so."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""
    truncated: bool = False


class Transport(Protocol):
    """Raises `transport.errors.CallFailed`, which says whether a byte of the request was written."""

    async def call(self, request: Request) -> Response:
        """One request, one answer; no redirects, nothing from the environment, no decompression."""
        ...
