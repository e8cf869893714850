"""The requests, one function each: what is sent, and as what the answer is read. Nothing here talks to anybody."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from angarium.__about__ import __version__
from angarium.client.answers import Page, Published
from angarium.errors import Invalid

T = TypeVar("T")
PLAIN, LINES = "application/json", "application/x-ndjson"
CLOUDEVENT, CLOUDEVENTS = "application/cloudevents+json", "application/cloudevents-batch+json"
#: ASCII without the space: what a key of either kind is made of.
VISIBLE = range(0x21, 0x7F)


class Call(Struct, Generic[T], frozen=True, kw_only=True):
    """One request. `target` is the path with its query; `repeatable` says that a second one has no second effect."""

    method: str
    target: str
    reads: Any
    body: bytes = b""
    headers: Mapping[str, str] = {}
    repeatable: bool = True


def headers(call: Call[Any], key: str) -> dict[str, str]:
    """All headers of a call but those that the connection decides."""
    ours = {"Authorization": f"Bearer {key}", "Accept": PLAIN, "User-Agent": f"angarium/{__version__}"}
    return {**ours, **({"Content-Type": PLAIN} if call.body else {}), **call.headers}


def visible(text: str, where: str, mend: str) -> str:
    """The text itself. Raises `Invalid` for one that no header can carry."""
    if not text or not all(ord(letter) in VISIBLE for letter in text):
        raise Invalid(where, "must be visible ASCII characters", mend)
    return text


def publish(events: Sequence[Mapping[str, Any]], key: str | None = None) -> Call[Published]:
    """Hand events over: plain ones (`type`, and perhaps `to data id source subject time`) or CloudEvents, not both.

    `key` is the idempotency key. Where none is given and an event has no id, one is made up, so that the same call may
    be sent twice. Raises `Invalid`.
    """
    kinds = {"specversion" in event for event in events}
    if len(kinds) > 1:
        raise Invalid("events", "mix CloudEvents and plain ones", "send them in two requests")
    body = _json(events[0] if len(events) == 1 else events)
    kind = PLAIN if True not in kinds else CLOUDEVENT if len(events) == 1 else CLOUDEVENTS
    return _events(body, kind, key, named=all(event.get("id") for event in events))


def publish_lines(lines: Sequence[bytes], key: str | None = None, *, named: bool = False) -> Call[Published]:
    """Hand over events that are written already, each in one line, plain ones and CloudEvents as they come.

    `named` says that all have ids; else they get a key as in `publish`. A refusal is a `BadLine`.
    """
    return _events(b"\n".join(lines), LINES, key, named=named)


def _events(body: bytes, kind: str, key: str | None, *, named: bool) -> Call[Published]:
    told = {"Content-Type": kind}
    if key is not None or not named:
        told["Idempotency-Key"] = visible(
            uuid.uuid4().hex if key is None else key, "idempotency key", "take a UUID, say"
        )
    return Call(method="POST", target="/v1/events", reads=Published, body=body, headers=told)


def explain(
    *,
    recipient: str | None = None,
    event: str | None = None,
    source: str | None = None,
    notification: str | None = None,
    limit: int | None = None,
) -> Call[dict[str, Any]]:
    """What became of an event, of a person's notifications or of one notification, and why."""
    asked = {"recipient": recipient, "event": event, "source": source, "notification": notification, "limit": limit}
    return _get("/v1/explain", dict[str, Any], asked)


def audit() -> Call[dict[str, Any]]:
    """The count of everything that came in against everything that became of it."""
    return _get("/v1/audit", dict[str, Any])


def dead(limit: int | None = None, after: str | None = None) -> Call[Page]:
    """A page of the dead letters, newest first."""
    return _get("/v1/dead", Page, {"limit": limit, "after": after})


def dead_letter(id: str) -> Call[dict[str, Any]]:  # noqa: A002 (the word of the interface)
    """One of them, with its bytes as text."""
    return _get(f"/v1/dead/{_segment(id)}", dict[str, Any])


def replay(id: str, again: bool = False) -> Call[dict[str, Any]]:  # noqa: A002
    """Put a dead letter back where it came from; `again` even if that was done before."""
    query = "?again=true" if again else ""
    return Call(method="POST", target=f"/v1/dead/{_segment(id)}/replay{query}", reads=dict[str, Any])


def keys(limit: int | None = None, after: str | None = None) -> Call[Page]:
    """A page of the API keys, without what makes them secret."""
    return _get("/v1/keys", Page, {"limit": limit, "after": after})


def create_key(name: str, scopes: Sequence[str], expires: datetime | None = None) -> Call[dict[str, Any]]:
    """A new key, whose text is in this answer and never told again."""
    wanted = {"name": name, "scopes": list(scopes), **({"expires": expires} if expires else {})}
    return Call(method="POST", target="/v1/keys", reads=dict[str, Any], body=_json(wanted), repeatable=False)


def revoke_key(id: str) -> Call[Any]:  # noqa: A002
    """From now on a key opens nothing."""
    return Call(method="DELETE", target=f"/v1/keys/{_segment(id)}", reads=Any)


def _get(path: str, reads: Any, query: Mapping[str, Any] | None = None) -> Call[Any]:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return Call(method="GET", target=f"{path}?{urlencode(given)}" if given else path, reads=reads)


def _segment(text: str) -> str:
    """One segment of a path, whatever is in it. Raises `Invalid` for the ones that would change the path."""
    if text in ("", ".", ".."):
        raise Invalid("id", "is no id", "copy it from a list")
    return quote(text, safe="")


def _json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError):
        raise Invalid("data", "holds what JSON cannot say", "use texts, numbers, lists and tables") from None
