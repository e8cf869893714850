"""The public listener: the ingest in front, everything else on Litestar."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import quote

import msgspec
from litestar import Litestar, Request, Response, Router
from litestar.datastructures import State
from litestar.exceptions import ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig

from angarium.__about__ import __version__
from angarium.api import (
    audit,
    callbacks,
    cancel,
    dead,
    deliveries,
    events,
    explain,
    keys,
    notifications,
    runs,
    strict,
    suppressions,
    wire,
)
from angarium.api.auth import Authenticator
from angarium.api.calls import DOCUMENT, guard
from angarium.api.ingest import PATH, Ingest
from angarium.api.problems import describe
from angarium.api.schema import Document
from angarium.api.services import Services
from angarium.api.wire import ASGIApp, Receive, Scope, Send
from angarium.errors import Invalid
from angarium.pipeline.accept import uuid7

#: The largest body of a route that does not say otherwise, in bytes.
LARGEST = 64 * 1024

_REQUEST = re.compile(rb"[\x21-\x7e]{1,128}")


def application(services: Services) -> ASGIApp:
    """The ASGI application. Every answer carries `X-Request-Id`: the caller's own, or one made here."""
    authenticator = Authenticator(services.database, services.clock, services.secret)
    ingest, routed = Ingest(services, authenticator), cast("ASGIApp", _routed(services, authenticator))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await routed(scope, receive, send)
            return
        request = _request_id(scope, services)
        scope["request_id"] = request.decode()
        _keep_slashes(scope)
        chosen = ingest if scope["path"].rstrip("/") == PATH else routed
        await chosen(scope, wire.patient(receive), _named(send, request))

    return app


def routes() -> Sequence[HTTPRouteHandler]:
    """Every route but the ingest."""
    return (
        events.get_event,
        runs.list_runs,
        runs.get_run,
        notifications.list_notifications,
        notifications.get_notification,
        cancel.cancel_notification,
        cancel.cancel_run,
        deliveries.list_deliveries,
        deliveries.get_delivery,
        explain.get_explanation,
        dead.list_dead,
        dead.get_dead,
        dead.replay_dead,
        audit.get_audit,
        suppressions.list_suppressions,
        suppressions.suppress,
        suppressions.lift,
        keys.list_keys,
        keys.create_key,
        keys.revoke_key,
        callbacks.callback,
    )


def _routed(services: Services, authenticator: Authenticator) -> Litestar:
    return Litestar(
        routes(),
        guards=[guard],
        exception_handlers={Exception: _on_error},
        request_max_body_size=LARGEST,
        state=State({"services": services, "authenticator": authenticator}, deep_copy=False),
        openapi_config=_document(),
        logging_config=None,
        debug=False,
    )


def _document() -> OpenAPIConfig:
    """The API document stands at one path, with no page around it."""
    return OpenAPIConfig(
        title="Angarium",
        version=__version__,
        use_handler_docstrings=True,
        openapi_router=Router(DOCUMENT, route_handlers=[], include_in_schema=False),
        render_plugins=[Document(routes())],
    )


def _on_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    if isinstance(error, ValidationException):
        error = _parameter(error)
    reply = describe(error, request.scope.get("request_id", ""))  # type: ignore[arg-type]
    headers = dict(reply.headers)
    return Response(reply.body, status_code=reply.status, media_type=headers.pop("content-type"), headers=headers)


def _parameter(error: ValidationException) -> Invalid:
    """Bodies are read by ourselves, so what Litestar finds wrong is a parameter of the query."""
    if not isinstance(error.__cause__, msgspec.ValidationError):
        return Invalid("", "cannot be read", "see the API document")
    found = strict.misfit(error.__cause__, object)
    return Invalid(f"?{found.where.removeprefix('/')}", found.problem, found.mend)


def _keep_slashes(scope: Scope) -> None:
    """An event's id is its producer's own and may hold slashes: it is looked for in the path as it was encoded."""
    if scope["path"].startswith(f"{PATH}/"):
        raw = scope.get("raw_path") or quote(scope["path"]).encode()
        scope["path"] = raw.partition(b"?")[0].decode("latin-1")


def _request_id(scope: Scope, services: Services) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST.fullmatch(value):
            return bytes(value)
    return b"req_" + uuid7(services.clock.now()).encode()


def _named(send: Send, request: bytes) -> Send:
    async def named(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"x-request-id", request)]
        await send(message)

    return named
