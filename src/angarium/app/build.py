"""The workers of a process, put together from its stores."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from msgspec import Struct

from angarium.decide.choose import Accounts
from angarium.model.reasons import Priority
from angarium.pipeline.dispatcher import Dispatcher
from angarium.pipeline.insist import Insistence
from angarium.pipeline.relay import Relay
from angarium.pipeline.router import Router, slices
from angarium.pipeline.sender import Sender, Surroundings
from angarium.pipeline.timers import DueTimers, Timers
from angarium.pipeline.worker import Worker

#: Consumer groups, also read by the audit.
ROUTER, DISPATCHER, SENDER = "router", "dispatcher", "sender"


class Runner(Protocol):
    """Anything with a loop of its own."""

    insist: Insistence

    async def run(self) -> None:
        """Until `stop`."""
        ...

    def stop(self) -> None:
        """Finish what was begun, and return from `run`."""
        ...


class Role(Struct, frozen=True):
    """A loop by name; `make` gives a fresh one, so that a dead one can be replaced."""

    name: str
    make: Callable[[], Runner]


def router(around: Surroundings, recipients: int) -> Worker:
    """Events to `started`."""
    stores = around.stores
    consumer = stores.broker.consumer([stores.topics.events(p) for p in Priority], ROUTER)
    handler = Router(around.releases, stores.topics, stores.clock, recipients)
    return Worker(ROUTER, consumer, handler, stores, slices=slices)


def dispatcher(around: Surroundings, accounts: Accounts) -> Worker:
    """Facts to decisions; first what the last one saved and did not live to publish."""
    stores = around.stores
    consumer = stores.broker.consumer([stores.topics.journal(p) for p in Priority], DISPATCHER)
    handler = Dispatcher(accounts, stores.topics, stores.clock)
    return Worker(DISPATCHER, consumer, handler, stores, first=partial(Relay(stores).publish, 0.0))


def timers(around: Surroundings) -> Worker:
    """What is due to the journal."""
    stores = around.stores
    consumer = DueTimers(stores.database, stores.clock)
    return Worker("timers", consumer, Timers(stores.topics, stores.clock), stores)


def sender(around: Surroundings, accounts: Accounts, channel: str, priority: Priority) -> Sender:
    """Hand-overs of one lane to its accounts."""
    stores = around.stores
    consumer = stores.broker.consumer([stores.topics.deliver(channel, priority)], f"{SENDER}.{channel}.{priority}")
    return Sender(channel, priority, consumer, accounts.by_channel[channel], around)


def roles(around: Surroundings, accounts: Accounts, recipients: int) -> list[Role]:
    """Every loop of a process that does everything; a channel without an account has no Sender."""
    lanes = [(channel, p) for channel, order in accounts.by_channel.items() if order for p in Priority]
    return [
        Role(ROUTER, partial(router, around, recipients)),
        Role(DISPATCHER, partial(dispatcher, around, accounts)),
        Role("timers", partial(timers, around)),
        Role("relay", partial(Relay, around.stores)),
        *(Role(f"{SENDER}.{c}.{p}", partial(sender, around, accounts, c, p)) for c, p in lanes),
    ]
