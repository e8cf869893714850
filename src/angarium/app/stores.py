"""Opening the three stores that the configuration names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType

from msgspec import Struct

from angarium import plugins
from angarium.config.settings import Settings
from angarium.database.engine import Database
from angarium.errors import Invalid, Misconfigured
from angarium.ports.broker import Broker
from angarium.ports.clock import Clock
from angarium.ports.state import State


class Opened(Struct, frozen=True):
    """The stores of a process, open."""

    broker: Broker
    state: State
    database: Database


@asynccontextmanager
async def opened(settings: Settings, clock: Clock) -> AsyncIterator[Opened]:
    """All three, closed in the reverse order. Raises `Misconfigured` or `Unavailable`."""
    broker: Broker = _adapter("brokers", "broker", settings.broker).connect(settings.broker, clock, settings.retention)
    state: State = _adapter("states", "state", settings.state).connect(settings.state, clock)
    async with broker, state, Database(settings.database) as database:
        yield Opened(broker, state, database)


def _adapter(package: str, key: str, url: str) -> ModuleType:
    """The adapter whose file is named like the URL's scheme."""
    try:
        return plugins.load(package, url.partition(":")[0].partition("+")[0])
    except Invalid as error:
        raise Misconfigured(key, "the configuration", f"{error.problem}; {error.mend}") from error
