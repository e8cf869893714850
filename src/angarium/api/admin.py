"""The admin listener: whether the process lives, whether it may get work, and what it counts. Not for the public."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus

from angarium.api import wire
from angarium.api.problems import Answer
from angarium.api.wire import ASGIApp, Receive, Scope, Send
from angarium.telemetry.metrics import Metrics

TEXT = "text/plain; charset=utf-8"
#: Prometheus' text format, as `Metrics.render` writes it.
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


def admin(metrics: Metrics, ready: Callable[[], Sequence[str]]) -> ASGIApp:
    """`/livez`, `/readyz` (and `/healthz`), `/metrics`. `ready` tells why the process is not; nothing means it is."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await wire.answer(send, await _answer(scope, metrics, ready))

    return app


async def _answer(scope: Scope, metrics: Metrics, ready: Callable[[], Sequence[str]]) -> Answer:
    if scope["method"] not in ("GET", "HEAD"):
        return Answer(HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": "GET, HEAD"})
    match scope["path"]:
        case "/livez":
            return Answer(HTTPStatus.OK, b"ok", {"content-type": TEXT})
        case "/readyz" | "/healthz":
            return _readiness(ready())
        case "/metrics":
            return Answer(HTTPStatus.OK, await metrics.render(), {"content-type": EXPOSITION})
        case _:
            return Answer(HTTPStatus.NOT_FOUND, b"not found", {"content-type": TEXT})


def _readiness(reasons: Sequence[str]) -> Answer:
    if reasons:
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, "\n".join(reasons).encode(), {"content-type": TEXT})
    return Answer(HTTPStatus.OK, b"ok", {"content-type": TEXT})
