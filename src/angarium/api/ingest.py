"""`/v1/events`: the fast way in, as plain ASGI. Answers 202 once the broker has every event durably.

All forms end as drafts for `pipeline.accept`. The handshake by OPTIONS is that of "HTTP 1.1 Web Hooks for Event
Delivery", version 1.0.2 (CloudEvents).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from urllib.parse import quote

import msgspec
from msgspec import Struct

from angarium.api import cloudevents, plain, wire
from angarium.api.auth import Authenticator
from angarium.api.problems import Answer, Declined, OnLine, describe
from angarium.api.services import Services
from angarium.api.wire import Ceiling, Receive, Scope, Send
from angarium.errors import AngariumError, Invalid
from angarium.pipeline.accept import Accepted, Draft

PATH = "/v1/events"
BATCHES = 32  # times the largest event is the largest body of several

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"
PLAIN = "application/json"
FORMS = (STRUCTURED, BATCH, LINES, PLAIN)

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_ORIGIN = re.compile(r"[\x21-\x7e]{1,255}")
_INDEXED = re.compile(r"/(\d+)(/.*)?")
_encode = msgspec.json.Encoder().encode


class Parsed(Struct, frozen=True):
    """The drafts of a body, and how to name the place of a mistake that is found in one of them later."""

    drafts: Sequence[Draft]
    place: Callable[[Invalid], AngariumError] = lambda error: error


class Ingest:
    """The ASGI application behind `PATH`."""

    def __init__(self, services: Services, authenticator: Authenticator) -> None:
        self._accept, self._authenticator = services.accept, authenticator
        largest = services.accept.limits.event_bytes
        self._one, self._many = Ceiling(largest, largest), Ceiling(largest, BATCHES * largest)
        self._lines = Ceiling(BATCHES * largest, BATCHES * largest)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a client that went away hears nothing."""
        try:
            reply = await self._answer(scope, receive)
        except wire.Gone:
            return
        except Exception as error:
            reply = describe(error, scope.get("request_id", ""))
        await wire.answer(send, reply)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        headers = wire.headers(scope)
        if scope["method"] == "OPTIONS":
            return handshake(headers)
        if scope["method"] != "POST":
            allow = {"allow": "OPTIONS, POST"}
            raise Declined(HTTPStatus.METHOD_NOT_ALLOWED, "events are posted", "use POST", headers=allow)
        caller = await self._authenticator.caller(scope, headers.get("authorization"))
        caller.require("publish")
        form, key = _form(headers), _key(headers)
        ceiling = {LINES: self._lines, BATCH: self._many, PLAIN: self._many}.get(form, self._one)
        body = await wire.body(receive, headers.get("content-length"), ceiling)
        parsed = _parsed(form, scope, body)
        try:
            return _accepted(await self._accept.accept(parsed.drafts, caller.tenant, key, body))
        except Invalid as error:
            raise parsed.place(error) from error


def handshake(headers: Mapping[str, str]) -> Answer:
    """The consent that a sender of CloudEvents may ask for first: every POST must bring a key anyway."""
    allowed = {"allow": "OPTIONS, POST"}
    origin = headers.get("webhook-request-origin")
    if origin is None:
        return Answer(HTTPStatus.OK, headers=allowed)
    if not _ORIGIN.fullmatch(origin):
        raise Declined(HTTPStatus.BAD_REQUEST, "is no origin", "name a host", where="webhook-request-origin")
    return Answer(HTTPStatus.OK, headers={**allowed, "webhook-allowed-origin": origin, "webhook-allowed-rate": "*"})


def _form(headers: Mapping[str, str]) -> str:
    """One of `FORMS`, or "" for attributes in headers. Raises `Declined` (415)."""
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise _unsupported(
            "content-encoding", "is not taken", "send the body as it is", {"accept-encoding": "identity"}
        )
    kind, _, parameters = headers.get("content-type", "").partition(";")
    media, charset = kind.strip().lower(), parameters.lower().replace(" ", "").replace('"', "").partition("charset=")[2]
    binary = "ce-specversion" in headers and not media.startswith("application/cloudevents")
    if not binary and media not in FORMS:
        mend = f"send one of {', '.join(FORMS)}, or ce-* headers"
        raise _unsupported("content-type", "is none that events come in", mend, {"accept": ", ".join(FORMS)})
    if not binary and charset.partition(";")[0] not in ("", "utf-8", "utf8"):
        raise _unsupported("content-type", "names another charset than UTF-8", "send UTF-8")
    return "" if binary else media


def _unsupported(where: str, problem: str, mend: str, headers: Mapping[str, str] | None = None) -> Declined:
    return Declined(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, problem, mend, where=where, headers=headers)


def _key(headers: Mapping[str, str]) -> str | None:
    key = headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        mend = "send 1 to 255 visible ASCII characters"
        raise Declined(HTTPStatus.BAD_REQUEST, "cannot be used", mend, where="idempotency-key")
    return key


def _parsed(form: str, scope: Scope, body: bytes) -> Parsed:
    match form:
        case "":
            pairs = [(name.decode("latin-1").lower(), text.decode("latin-1")) for name, text in scope["headers"]]
            return Parsed((cloudevents.binary(pairs, body),), _in_headers)
        case "application/cloudevents+json":
            return Parsed((cloudevents.structured(body),))
        case "application/cloudevents-batch+json":
            return _listed(cloudevents.batch(body))
        case "application/x-ndjson":
            drafts, numbers = plain.lines(body)
            return Parsed(drafts, lambda error: _on_line(error, numbers))
        case _ if body.lstrip()[:1] == b"[":
            return _listed(plain.events(body))
        case _:
            return Parsed((plain.event(body),))


def _listed(drafts: Sequence[Draft]) -> Parsed:
    """Of a list of one the pipeline does not know that it was a list."""
    if len(drafts) == 1:
        return Parsed(drafts, lambda error: Invalid(f"/0{error.where}", error.problem, error.mend))
    return Parsed(drafts)


def _in_headers(error: Invalid) -> AngariumError:
    """Attributes came in headers, so that is where they are wrong."""
    if error.where.startswith("/data"):
        return error
    return Invalid(f"ce-{error.where.removeprefix('/')}", error.problem, error.mend)


def _on_line(error: Invalid, numbers: Sequence[int]) -> AngariumError:
    if len(numbers) == 1:
        return OnLine(error, numbers[0])
    found = _INDEXED.fullmatch(error.where)
    if found is None:
        return error
    return OnLine(Invalid(found[2] or "", error.problem, error.mend), numbers[int(found[1])])


def _accepted(accepted: Sequence[Accepted]) -> Answer:
    urls = [run_url(event) for event in accepted]
    told = [{"id": event.id, "source": event.source, "run_url": url} for event, url in zip(accepted, urls, strict=True)]
    headers = {"content-type": "application/json"}
    if len(urls) == 1:
        headers["location"] = urls[0]
    return Answer(HTTPStatus.ACCEPTED, _encode({"events": told}), headers)


def run_url(event: Accepted) -> str:
    """Where what became of an event is told."""
    return f"{PATH}/{quote(event.id, safe='')}?source={quote(event.source, safe='')}"
