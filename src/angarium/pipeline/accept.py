"""Accepting events: validated, given an id, and durable in the broker before anybody is told "accepted"."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from angarium.database import idempotency
from angarium.database.engine import Database
from angarium.decide.recipients import is_inline, people
from angarium.errors import AngariumError, Invalid
from angarium.model import times
from angarium.model.event import VERSION
from angarium.model.ids import digest
from angarium.model.reasons import Priority
from angarium.model.user import Person
from angarium.pipeline.records import encode
from angarium.pipeline.releases import Releases
from angarium.pipeline.topics import Topics
from angarium.ports.broker import Broker, Record
from angarium.ports.clock import Clock
from angarium.telemetry.metrics import Metrics

#: Seconds an idempotency key is remembered.
REMEMBER = 7 * 86400.0
#: Characters of an id, source, type or subject.
MAX_ATTRIBUTE = 1024
SOURCE = "/v1/events"
#: CloudEvents 1.0, type String: no control characters, no halves of surrogate pairs.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Conflict(AngariumError):
    """An idempotency key came again with another body."""


class Draft(Struct, frozen=True, kw_only=True):
    """An event as a producer sends it. `attributes` are CloudEvents context attributes, `data` its JSON bytes.

    `to` are recipients that the event itself names: ids or inline people. `data_base64` is binary data instead.
    """

    attributes: dict[str, Any]
    data: Raw = Raw(b"null")
    data_base64: str | None = None
    to: Any = None


class Accepted(Struct, frozen=True):
    """What the producer is told of one event."""

    id: str
    source: str


class Limits(Struct, frozen=True):
    """The most bytes of one event, events of one request, and recipients of one event."""

    event_bytes: int = 262_144
    batch_events: int = 1000
    recipients: int = 1000


class Accept:
    """The one way in, for HTTP, sources and Python alike."""

    def __init__(
        self,
        broker: Broker,
        database: Database,
        releases: Releases,
        topics: Topics,
        clock: Clock,
        metrics: Metrics,
        limits: Limits,
    ) -> None:
        self._broker, self._database, self._releases, self._topics = broker, database, releases, topics
        self._clock, self._metrics, self.limits = clock, metrics, limits

    async def accept(
        self, drafts: Sequence[Draft], tenant: str = "default", key: str | None = None, body: bytes = b""
    ) -> tuple[Accepted, ...]:
        """All of them or none. `key` is the producer's idempotency key for this very `body`.

        Raises `Invalid` (a pointer into the batch), `Conflict`, or `Unavailable`: then nothing may be answered with
        success, and the same request may be sent again.
        """
        if len(drafts) > self.limits.batch_events:
            raise Invalid("", f"holds more than {self.limits.batch_events} events", "send them in several requests")
        if key is None:
            return await self._publish(drafts, tenant, None)
        body_hash = hashlib.blake2b(body, digest_size=16).digest()
        now = self._clock.now()
        found = await self._database.write(idempotency.reserve, tenant, key, body_hash, now, REMEMBER)
        if found.body_hash != body_hash:
            raise Conflict("the idempotency key was used with another body: use a new key")
        if found.events is not None:
            return msgspec.json.decode(found.events, type=tuple[Accepted, ...])
        accepted = await self._publish(drafts, tenant, key)
        await self._database.write(idempotency.answer, tenant, key, encode(accepted))
        return accepted

    async def _publish(self, drafts: Sequence[Draft], tenant: str, key: str | None) -> tuple[Accepted, ...]:
        many = len(drafts) > 1
        records, accepted = list[Record](), list[Accepted]()
        for index, draft in enumerate(drafts):
            attributes = self._identified(draft, tenant, key, index, many)
            records.append(self._record(draft, attributes, tenant, f"/{index}" if many else ""))
            accepted.append(Accepted(attributes["id"], attributes["source"]))
        if records:
            await self._broker.publish(records)
        for record in records:
            self._metrics.accepted(record.topic.rpartition(".")[2])
        return tuple(accepted)

    def _identified(self, draft: Draft, tenant: str, key: str | None, index: int, many: bool) -> dict[str, Any]:
        """With an id and a source: of the idempotency key where there is one, so that a repeat is the same event."""
        where = f"/{index}" if many else ""
        attributes = {"source": SOURCE, **draft.attributes}
        if "id" not in attributes:
            parts = (tenant, key) if not many else (tenant, key, str(index))
            attributes["id"] = digest(*[part for part in parts if part]) if key else uuid7(self._clock.now())
        for name in ("id", "source", "type"):
            _check_attribute(attributes.get(name), f"{where}/{name}")
        if attributes.get("subject") is not None:
            _check_attribute(attributes["subject"], f"{where}/subject")
        if attributes.get("time") is not None:
            _check_time(attributes["time"], f"{where}/time")
        return attributes

    def _record(self, draft: Draft, attributes: dict[str, Any], tenant: str, where: str) -> Record:
        named = people(draft.to, f"{where}/to", self.limits.recipients) if draft.to is not None else ()
        priority = self._releases.current.matcher.priority(attributes["type"])
        ours: dict[str, Any] = {
            "specversion": "1.0",
            "angarium": VERSION,
            "angtenant": tenant,
            "angaccepted": times.text(self._clock.now()),
        }
        if named:
            ours["angto"] = encode([_bare(person) for person in named]).decode()
        data = {"data_base64": draft.data_base64} if draft.data_base64 is not None else {"data": draft.data}
        value = encode({**attributes, **ours, **data})
        if len(value) > self.limits.event_bytes + 4096:
            raise Invalid(
                f"{where}/data", f"is larger than {self.limits.event_bytes} bytes", "send a reference instead"
            )
        return Record(self._topics.events(Priority(priority)), attributes.get("subject") or attributes["id"], value)


def _bare(person: Person) -> Person | dict[str, str]:
    return person if is_inline(person) else {"id": person.id}


def _check_attribute(value: Any, where: str) -> None:
    """CloudEvents 1.0: a non-empty string; control characters and halves of surrogate pairs are refused."""
    if value is None:
        raise Invalid(where, "is missing", "every event needs it")
    if not isinstance(value, str):
        raise Invalid(where, "is not a text", "write it as a string")
    if not value:
        raise Invalid(where, "is empty", "every event needs it" if not where.endswith("subject") else "leave it out")
    if len(value) > MAX_ATTRIBUTE:
        raise Invalid(where, f"is longer than {MAX_ATTRIBUTE} characters", "shorten it")
    if _FORBIDDEN.search(value):
        raise Invalid(where, "holds a control character", "take it out")


def _check_time(value: Any, where: str) -> None:
    try:
        times.seconds(value)
    except (TypeError, ValueError, OverflowError):
        raise Invalid(where, "is no RFC 3339 time", "write it as 2026-01-31T12:00:00Z") from None


def uuid7(now: float) -> str:
    """A UUID of version 7 (RFC 9562): 48 bits of milliseconds, the rest random."""
    random = uuid.uuid4().int
    value = (int(now * 1000) & ((1 << 48) - 1)) << 80 | 7 << 76 | (random >> 64 & 0xFFF) << 64
    return str(uuid.UUID(int=value | 2 << 62 | random & ((1 << 62) - 1)))
