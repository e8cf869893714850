"""The whole pipeline in memory behind the HTTP interface, called through ASGI without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from angarium.api.application import application
from angarium.api.auth import SCOPES, mint
from angarium.api.services import Services
from angarium.api.wire import ASGIApp
from angarium.database import keys
from angarium.model.delivery import Delivery
from angarium.model.event import Event
from angarium.model.reasons import Priority
from angarium.pipeline.accept import Accept, Limits
from angarium.pipeline.audit import audit
from angarium.pipeline.releases import Releases
from angarium.ports.broker import Record
from angarium.ports.provider import Callback, Received, Receiver, Report
from angarium.testing import Harness

SECRET = b"secret"
PUBLIC_URL = "https://notify.example.com/angarium/"
JSON = {"content-type": "application/json"}
CLOUDEVENT = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
LINES = {"content-type": "application/x-ndjson"}
BINARY = {
    "content-type": "application/json",
    "ce-specversion": "1.0",
    "ce-type": "alarm",
    "ce-source": "/s",
    "ce-id": "1",
}
LIMITS = Limits(event_bytes=4096, batch_events=10, recipients=5)
ANNA = {"id": "anna", "email": "anna@example.com", "phone": "+15005550006"}
WELCOME = b"""
on = "user.signed_up"
steps = [{ send = "email" }, { delay = "1h" }, { send = "sms" }]
email = { subject = "Welcome", text = "Hello" }
sms = { text = "Still there?" }
"""
ALARM = b"""
on = "alarm"
category = "urgent"
steps = [{ send = "sms" }]
sms = { text = "Fire" }
"""
PROJECT = {
    "workflows/welcome.toml": WELCOME,
    "workflows/alarm.toml": ALARM,
    "categories.toml": b'[urgent]\npriority = "critical"\n',
}


class Reply(Struct, frozen=True):
    """An answer as the client sees it."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)

    def flaw(self) -> tuple[str, str]:
        """Where the first thing is wrong, and what."""
        [first] = self.json()["errors"]
        return first["pointer"], first["problem"]


async def call(
    app: ASGIApp,
    method: str,
    target: str,
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    body: bytes | Iterable[bytes] = b"",
    client: str = "192.0.2.1",
) -> Reply:
    """One request. A body of several pieces comes in as many messages."""
    pieces = [body] if isinstance(body, bytes) else list(body)
    queue = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    queue[-1]["more_body"] = False
    sent: list[Any] = []
    path, _, query = target.partition("?")
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        "client": (client, 40000),
        "server": ("127.0.0.1", 8080),
    }

    async def receive() -> Any:
        return queue.pop(0) if queue else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if not sent:
        return Reply(0, {}, b"")
    told = {name.decode().lower(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return Reply(sent[0]["status"], told, b"".join(message.get("body", b"") for message in sent[1:]))


class StandIn:
    """A service that is called back: its reports are what the body says, and its secret is a header."""

    def __init__(self) -> None:
        self.callbacks: list[Callback] = []
        self.error: Exception | None = None

    async def callback(self, callback: Callback) -> Received:
        """As the port says."""
        self.callbacks.append(callback)
        if self.error is not None:
            raise self.error
        reports = msgspec.json.decode(callback.body, type=tuple[Report, ...])
        return Received(reports=reports, status=202, body=b"<thanks/>", content_type="application/xml")


class World:
    """A pipeline, its HTTP interface, and a key of each kind."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.service = StandIn()
        receivers: dict[str, Receiver] = {"sms": self.service, "email": self.service}
        self.services = Services(
            accept=Accept(
                harness.broker,
                harness.database,
                Releases(harness.release),
                harness.topics,
                harness.clock,
                harness.metrics,
                LIMITS,
            ),
            database=harness.database,
            broker=harness.broker,
            state=harness.state,
            clock=harness.clock,
            metrics=harness.metrics,
            topics=harness.topics,
            secret=SECRET,
            public_url=PUBLIC_URL,
            receivers=receivers,
            audit=lambda: audit(harness.broker, harness.database, harness.topics, harness.clock),
            types=lambda: ("user.signed_up", "alarm"),
        )
        self.app = application(self.services)
        self.number = 0

    async def key(self, *scopes: str, tenant: str = "default", expires: float | None = None) -> str:
        """The text of a new key."""
        self.number += 1
        text, row = mint(
            SECRET,
            f"key_00000000-0000-7000-8000-{self.number:012}",
            tenant=tenant,
            name=f"key {self.number}",
            scopes=scopes or SCOPES,
            created=self.harness.clock.now() + self.number,
            expires=expires,
        )
        await self.harness.database.write(keys.create, row)
        return text

    async def call(
        self,
        method: str,
        target: str,
        key: str | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: Any = b"",
        client: str = "192.0.2.1",
    ) -> Reply:
        """One request; a body that is neither bytes nor pieces of bytes goes as JSON."""
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        if key is not None:
            pairs.append(("authorization", f"Bearer {key}"))
        pieces = isinstance(body, list) and body and all(isinstance(piece, bytes) for piece in body)
        if not isinstance(body, bytes) and not pieces:
            body = msgspec.json.encode(body)
        return await call(self.app, method, target, pairs, body, client)

    async def post(self, body: Any, headers: Any = JSON, key: str | None = None) -> Reply:
        """Publish with a key made for it."""
        return await self.call("POST", "/v1/events", key or await self.key("publish"), headers, body)

    async def stored(self) -> list[Event]:
        """The events in the broker, lane by lane."""
        return [msgspec.json.decode(record.value, type=Event) for record in await self.records("events")]

    async def records(self, kind: str) -> list[Record]:
        """What lies in the topics of events or of the journal."""
        topics = self.harness.topics
        lanes = [topics.events(p) if kind == "events" else topics.journal(p) for p in Priority]
        self.number += 1
        async with self.harness.broker.consumer(lanes, f"reader-{self.number}") as consumer:
            return list(await consumer.poll(10_000, 0))

    async def sms(self) -> Delivery:
        """The delivery of an alarm for Anna that the service took."""
        await self.harness.publish("alarm", to=ANNA)
        [delivery] = await self.harness.deliveries()
        return delivery


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    """A world of its own for one test."""
    async with Harness(PROJECT) as harness:
        yield World(harness)


def cloudevent(**changes: Any) -> dict[str, Any]:
    """A whole one; a change to None takes an attribute out."""
    event = {"specversion": "1.0", "id": "e1", "source": "/shop", "type": "alarm", **changes}
    return {name: value for name, value in event.items() if value is not None}
