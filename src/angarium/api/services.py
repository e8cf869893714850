"""What the routes work with, made by the composition root."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct

from angarium.database.engine import Database
from angarium.pipeline.accept import Accept
from angarium.pipeline.audit import Audit
from angarium.pipeline.topics import Topics
from angarium.ports.broker import Broker
from angarium.ports.clock import Clock
from angarium.ports.provider import Receiver
from angarium.ports.state import State
from angarium.telemetry.metrics import Metrics


class Services(Struct, frozen=True, kw_only=True):
    """`secret` peppers keys and signs callback references; `public_url` is how the services reach us.

    `receivers` are the providers that are called back, by account; `audit` counts what the stores hold now; `types`
    tells the event types and globs that workflows listen to.
    """

    accept: Accept
    database: Database
    broker: Broker
    state: State
    clock: Clock
    metrics: Metrics
    topics: Topics
    secret: bytes
    public_url: str
    receivers: Mapping[str, Receiver]
    audit: Callable[[], Awaitable[Audit]]
    types: Callable[[], Sequence[str]]
