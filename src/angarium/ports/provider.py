"""A delivery service's adapter: one file, with its settings, its map of errors, its call and its callback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from angarium.model.message import Message
from angarium.model.reasons import Reason, Status
from angarium.model.result import Result
from angarium.ports.clock import Clock
from angarium.ports.transport import Transport


class Writer(Protocol):
    """What a provider may do with the database: one write transaction (`database.Database` satisfies it)."""

    async def write(self, query: Any, *arguments: Any) -> Any:
        """Run `query(connection, *arguments)` in one transaction."""
        ...


class Tools(Struct, frozen=True, kw_only=True):
    """What every provider is given. `account` is the configured name, `public_url` the base of our callbacks."""

    http: Transport
    database: Writer
    clock: Clock
    account: str
    public_url: str


class Callback(Struct, frozen=True, kw_only=True):
    """A request said to come from the service. `url` is the public one, with its query; header names are lower case."""

    account: str
    method: str = "POST"
    url: str
    headers: Mapping[str, str]
    body: bytes


class Report(Struct, frozen=True, kw_only=True):
    """One report of a service. `delivery` and `ref` are ours as they came back; the route verifies `ref`."""

    delivery: str
    ref: str
    status: Status
    reason: Reason | None = None
    reference: str = ""
    at_service: float | None = None
    dedup: str


class Received(Struct, frozen=True, kw_only=True):
    """What a callback held, and what the service wants to hear."""

    reports: Sequence[Report] = ()
    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"


class Forged(Exception):
    """The signature of a callback does not fit its bytes. The route answers 403 and publishes nothing."""


class Provider(Protocol):
    """One configured account of a service.

    A provider module defines `class Provider` with a nested `class Settings(Struct, forbid_unknown_fields=True)` and
    `__init__(self, settings: Settings, tools: Tools)`. `idempotent`: a second call with the same id has no second
    effect. `receipts`: "delivered" will be told by callback.
    """

    channels: tuple[str, ...]
    idempotent: bool
    receipts: bool

    async def send(self, message: Message) -> Result:
        """One call, no retry. `transport` errors are raised and classified by the Sender, as is undecodable garbage."""
        ...


@runtime_checkable
class Receiver(Protocol):
    """A provider that is called back."""

    async def callback(self, callback: Callback) -> Received:
        """Verify over the raw bytes, then read. Raises `Forged`, or `Invalid` for a body that cannot be read."""
        ...
