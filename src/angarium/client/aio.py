"""The client for an event loop, over any transport: `transport.http1.Http1` is ours."""

from __future__ import annotations

from typing import TypeVar

from angarium.client import calls
from angarium.client.answers import SERVER, read
from angarium.client.calls import Call
from angarium.client.methods import Awaited
from angarium.errors import Unavailable
from angarium.ports.transport import Request, Transport
from angarium.transport.errors import CallFailed

T = TypeVar("T")


class AsyncClient(Awaited):
    """Speaks to the server at `url` with `key`. `timeout`: seconds for a whole call. Closing the transport is yours.

    Its methods are those of `Client`, and raise the same errors.
    """

    def __init__(self, transport: Transport, url: str, key: str, timeout: float = 30.0) -> None:
        self._transport, self._url = transport, url.rstrip("/")
        self._key, self._timeout = calls.visible(key, "key", "copy it again, it begins with ang_"), timeout

    async def call(self, call: Call[T]) -> T:
        """Make any call of `client.calls`."""
        request = Request(
            method=call.method,
            url=self._url + call.target,
            headers=calls.headers(call, self._key),
            body=call.body,
            timeout=self._timeout,
        )
        try:
            response = await self._transport.call(request)
        except CallFailed as failure:
            raise Unavailable(SERVER, f"the call ended with {failure.reason}") from failure
        result: T = read(response, call.reads)
        return result
