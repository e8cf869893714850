"""What Litestar cannot know of the API document: the ingest, the bodies that we read ourselves, keys and problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Request
from litestar.enums import MediaType
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.plugins import OpenAPIRenderPlugin

from angarium.api.calls import SIGNED
from angarium.api.ingest import BATCH, LINES, PATH, PLAIN, STRUCTURED
from angarium.api.problems import CONTENT_TYPE, Problem

REFERENCE = "#/components/schemas/{name}"
#: The problems that any route may answer with, and those that a body brings.
COMMON = (400, 401, 403, 404, 409, 422, 429, 503)
POSTED = (408, 413)

_REFUSED = {"$ref": "#/components/responses/Problem"}
_BEARER = {"type": "http", "scheme": "bearer", "description": "An API key, `ang_live_...`."}
_PROBLEM = {
    "description": "A problem (RFC 9457).",
    "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}

_STRING = {"type": "string"}
_CLOUDEVENT = {
    "type": "object",
    "description": "A CloudEvent 1.0 in the JSON format; extensions are kept.",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        **{name: {"type": "string", "minLength": 1} for name in ("id", "source", "type", "subject", "datacontenttype")},
        "time": {"type": "string", "format": "date-time"},
        "data": {"description": "Any JSON value."},
        "data_base64": {"type": "string", "contentEncoding": "base64"},
    },
}
_PERSON = {
    "description": "A user's id, or a person with at least an id or an address.",
    "anyOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "properties": {
                **dict.fromkeys(("id", "name", "locale", "timezone", "webhook_secret"), _STRING),
                "email": {"type": "string", "format": "email"},
                "phone": {"type": "string", "description": "E.164."},
                "webhook": {"type": "string", "format": "uri"},
                "devices": {"type": "array"},
                "data": {"type": "object"},
            },
            "additionalProperties": False,
        },
    ],
}
_PLAIN = {
    "type": "object",
    "description": "An event as plain JSON; an id is made where there is none, and `source` is `/v1/events`.",
    "required": ["type"],
    "properties": {
        **{name: {"type": "string", "minLength": 1} for name in ("type", "id", "source", "subject")},
        "time": {"type": "string", "format": "date-time"},
        "data": {"description": "Any JSON value."},
        "to": {"anyOf": [_PERSON, {"type": "array", "items": _PERSON, "minItems": 1}]},
    },
    "additionalProperties": False,
}
_ACCEPTED = {
    "type": "object",
    "required": ["events"],
    "properties": {
        "events": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "source", "run_url"],
                "properties": {"id": _STRING, "source": _STRING, "run_url": _STRING},
            },
        }
    },
}


class Document(OpenAPIRenderPlugin):
    """Writes the document of a Litestar application with what its `handlers` do not say, once somebody asks for it."""

    def __init__(self, handlers: Sequence[HTTPRouteHandler]) -> None:
        super().__init__(path="/", media_type=MediaType.JSON)
        self._handlers = handlers
        self._written: bytes | None = None

    def render(self, _request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The document as JSON."""
        if self._written is None:
            self._written = msgspec.json.encode(completed(openapi_schema, self._handlers))
        return self._written


def completed(document: dict[str, Any], handlers: Sequence[HTTPRouteHandler]) -> dict[str, Any]:
    """The document with keys, problems, bodies and the ingest."""
    options = {handler.operation_id: handler.opt for handler in handlers}
    bodies = [option["body"] for option in options.values() if "body" in option]
    _, schemas = msgspec.json.schema_components([Problem, *bodies], ref_template=REFERENCE)
    known = document["components"]
    components = {
        **known,
        "schemas": {**known.get("schemas", {}), **schemas, "CloudEvent": _CLOUDEVENT, "PlainEvent": _PLAIN},
        "responses": {"Problem": _PROBLEM},
        "securitySchemes": {"key": _BEARER},
    }
    paths = {
        path: {method: _operation(said, options[said["operationId"]]) for method, said in item.items()}
        for path, item in document["paths"].items()
    }
    return {**document, "components": components, "paths": {**paths, PATH: _ingest()}, "security": [{"key": []}]}


def _operation(said: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """An operation of Litestar's with the problems it may answer, and the body that it takes."""
    signed, body = options["needs"] == SIGNED["needs"], options.get("body")
    found = {**said, "responses": {**said["responses"], **_problems(posted=signed or body is not None)}}
    if signed:
        found["security"] = []
    if body is not None:
        found["requestBody"] = {"required": True, "content": {PLAIN: {"schema": _reference(body.__name__)}}}
    return found


def _problems(posted: bool) -> dict[str, Any]:
    return {str(status): _REFUSED for status in (*COMMON, *(POSTED if posted else ()))}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": REFERENCE.format(name=name)}


def _ingest() -> dict[str, Any]:
    """The operations of `PATH`, as the document has them."""
    one, plain = _reference("CloudEvent"), _reference("PlainEvent")
    several: dict[str, Any] = {"type": "array", "items": one}
    content = {
        PLAIN: {"schema": {"anyOf": [plain, {"type": "array", "items": plain}]}},
        STRUCTURED: {"schema": one},
        BATCH: {"schema": several},
        LINES: {"schema": {"type": "string", "description": "An event a line, CloudEvents or plain JSON."}},
    }
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
        "description": "The same key and body get the same answer for 7 days; another body 409.",
    }
    accepted = {"description": "Stored durably.", "content": {PLAIN: {"schema": _ACCEPTED}}}
    post = {
        "operationId": "Publish",
        "summary": "Publish events, all of them or none",
        "description": "A CloudEvent may also come with its attributes in `ce-*` headers and any body.",
        "parameters": [key],
        "requestBody": {"required": True, "content": content},
        "responses": {"202": accepted, **_problems(posted=True), "415": _REFUSED},
    }
    answered = {"200": {"description": "The consent."}, "400": _REFUSED}
    options = {
        "operationId": "Handshake",
        "summary": "The handshake of CloudEvents' web hooks",
        "security": [],
        "responses": answered,
    }
    return {"post": post, "options": options}
