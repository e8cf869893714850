"""The workers of a process, put together from its stores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from angarium.decide.choose import Accounts
from angarium.model.reasons import Priority
from angarium.pipeline.dispatcher import Dispatcher
from angarium.pipeline.insist import Insistence
from angarium.pipeline.relay import Relay
from angarium.pipeline.router import Router
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
    stores, topics = around.stores, around.topics
    consumer = stores.broker.consumer([topics.events(p) for p in Priority], ROUTER)
    return Worker(ROUTER, consumer, Router(around.releases, topics, stores.clock, recipients), stores)


def dispatcher(around: Surroundings, accounts: Accounts) -> Worker:
    """Facts to decisions."""
    stores, topics = around.stores, around.topics
    consumer = stores.broker.consumer([topics.journal(p) for p in Priority], DISPATCHER)
    return Worker(DISPATCHER, consumer, Dispatcher(accounts, topics, stores.clock), stores)


def timers(around: Surroundings) -> Worker:
    """What is due to the journal."""
    stores = around.stores
    consumer = DueTimers(stores.database, stores.clock)
    return Worker("timers", consumer, Timers(around.topics, stores.clock), stores)


def sender(around: Surroundings, accounts: Accounts, channel: str) -> Sender:
    """Hand-overs of one channel to its accounts."""
    topics = [around.topics.deliver(channel, priority) for priority in Priority]
    consumer = around.stores.broker.consumer(topics, f"{SENDER}.{channel}")
    return Sender(channel, consumer, accounts.by_channel[channel], around)


def roles(around: Surroundings, accounts: Accounts, recipients: int) -> list[Role]:
    """Every loop of a process that does everything; a channel without an account has no Sender."""
    channels = [channel for channel, order in accounts.by_channel.items() if order]
    return [
        Role(ROUTER, lambda: router(around, recipients)),
        Role(DISPATCHER, lambda: dispatcher(around, accounts)),
        Role("timers", lambda: timers(around)),
        Role("relay", lambda: Relay(around.stores)),
        *(Role(f"{SENDER}.{c}", lambda c=c: sender(around, accounts, c)) for c in channels),  # type: ignore[misc]
    ]
