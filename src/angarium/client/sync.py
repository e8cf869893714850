"""The client for plain code: the standard library's HTTP over one kept connection. For one thread at a time."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException, HTTPSConnection
from types import TracebackType
from typing import Any, Self, TypeVar

from angarium.client import calls
from angarium.client.answers import SERVER, read
from angarium.client.calls import Call
from angarium.client.methods import Plain
from angarium.errors import Unavailable
from angarium.ports.transport import Response
from angarium.transport.url import locate

T = TypeVar("T")


class Client(Plain):
    """Speaks to the server at `url` with `key`; a context manager. `timeout`: seconds of silence before giving up.

    Every method raises `Invalid` for content that was refused, `Unavailable` when nobody answers, and `Problem` for
    any other refusal.
    """

    def __init__(self, url: str, key: str, timeout: float = 30.0) -> None:
        self._place, self._key, self._timeout = (
            locate(url),
            calls.visible(key, "key", "copy it again, it begins with ang_"),
            timeout,
        )
        self._connection: HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the connection go; the next call opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def call(self, call: Call[T]) -> T:
        """Make any call of `client.calls`."""
        kept = self._connection is not None
        try:
            response = self._exchange(call)
        except ConnectionError:
            # The server may have closed a connection that was idle: that says nothing about the server.
            if not (kept and call.repeatable):
                raise self._silent() from None
            response = self._again(call)
        except (OSError, HTTPException):
            raise self._silent() from None
        result: T = read(response, call.reads)
        return result

    def _again(self, call: Call[Any]) -> Response:
        self.close()
        try:
            return self._exchange(call)
        except (OSError, HTTPException):
            raise self._silent() from None

    def _exchange(self, call: Call[Any]) -> Response:
        if self._connection is None:
            kind = HTTPSConnection if self._place.tls else HTTPConnection
            self._connection = kind(self._place.host, self._place.port, timeout=self._timeout)
        target = self._place.target.rstrip("/") + call.target
        self._connection.request(call.method, target, call.body or None, calls.headers(call, self._key))
        answer = self._connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return Response(status=answer.status, headers=told, body=answer.read())

    def _silent(self) -> Unavailable:
        self.close()
        return Unavailable(SERVER, "nobody answers there: is it running, and is the URL right?")
