"""The whole pipeline in memory, one step after another, under a clock that moves when it is told.

    async with Harness.of("examples/shop") as harness:
        await harness.publish("order.shipped", to={"id": "anna", "email": "anna@example.com"}, data={"id": 7})
        await harness.advance("10m")
        assert [d.status for d in await harness.deliveries()] == ["sent"]

The handlers, the worker and the Sender are the real ones; stores are in memory, services answer from a script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from msgspec import Raw

from angarium.__about__ import __version__
from angarium.app import build
from angarium.brokers.memory import MemoryBroker
from angarium.database import ledger, rows, tables, timers
from angarium.database.engine import MEMORY, Database
from angarium.decide.choose import Account, Accounts
from angarium.model.channels import CHANNELS
from angarium.model.delivery import Delivery
from angarium.model.fact import Receipt
from angarium.model.message import Message
from angarium.model.notification import Notification
from angarium.model.reasons import Priority, Reason, Status
from angarium.model.result import Result, Sent
from angarium.pipeline.accept import Accept, Accepted, Draft, Limits
from angarium.pipeline.accounts import LiveAccount
from angarium.pipeline.publishing import Stores
from angarium.pipeline.records import encode
from angarium.pipeline.relay import Relay
from angarium.pipeline.releases import Releases
from angarium.pipeline.sender import Sender, Surroundings
from angarium.pipeline.topics import Topics
from angarium.pipeline.worker import Worker
from angarium.ports.broker import Record
from angarium.project import Release, load, read
from angarium.project.durations import duration as parse_duration
from angarium.states.memory import MemoryState
from angarium.telemetry.metrics import Metrics
from angarium.testing.clock import FakeClock

#: The one account of each channel, unless a test names others.
ACCOUNTS = tuple(Account(channel, (channel,), receipts=True) for channel in CHANNELS)


class ScriptedProvider:
    """A service that answers what it was told to, and "sent" when it was told nothing. Keeps what it was given."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.channels, self.idempotent, self.receipts = account.channels, account.idempotent, account.receipts
        self.script: list[Result | BaseException] = []
        self.messages: list[Message] = []

    async def send(self, message: Message) -> Result:
        """The next answer of the script; an exception in it is raised."""
        self.messages.append(message)
        answer = self.script.pop(0) if self.script else Sent(f"{self.account.name}-{len(self.messages)}")
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Harness:
    """An async context manager. `files` is a project as bytes by path; see `of` for one on disk."""

    def __init__(
        self, files: Mapping[str, bytes], *, accounts: Sequence[Account] = ACCOUNTS, clock: FakeClock | None = None
    ) -> None:
        self.clock = clock or FakeClock()
        self.release: Release = load(files)
        self.broker, self.state = MemoryBroker(self.clock), MemoryState(self.clock)
        self.database, self.topics = Database(MEMORY), Topics("test")
        self.providers = {account.name: ScriptedProvider(account) for account in accounts}
        self.metrics = Metrics(version=__version__, accounts=tuple(self.providers))
        self._accounts = Accounts(
            {account.name: account for account in accounts},
            {channel: tuple(a.name for a in accounts if channel in a.channels) for channel in CHANNELS},
        )
        self._stack, self._members = AsyncExitStack(), AsyncExitStack()

    @classmethod
    def of(cls, directory: str | Path, **options: Any) -> Self:
        """A harness over the project in a directory."""
        return cls(read(Path(directory)), **options)

    async def __aenter__(self) -> Self:
        for store in (self.broker, self.state, self.database):
            await self._stack.enter_async_context(store)
        await self.broker.prepare(self.topics.every())
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._members.aclose()
        await self._stack.aclose()

    async def start(self) -> None:
        """Put the workers together; called again, it is what a restarted process would be on a state that others share:
        claims whose calls were under way run on until their leases end.
        """
        await self._members.aclose()
        stores = Stores(self.broker, self.database, self.clock, self.metrics, self.topics)
        releases = Releases(self.release)
        live = {
            name: LiveAccount(name, provider, self.clock, self.metrics) for name, provider in self.providers.items()
        }
        around = Surroundings(stores, self.state, releases, live, b"secret", "http://127.0.0.1:8080")
        limits = Limits()
        self._accept = Accept(self.broker, self.database, releases, self.topics, self.clock, self.metrics, limits)
        channels = [channel for channel, order in self._accounts.by_channel.items() if order]
        self.relay = Relay(stores)
        self.router, self.dispatcher = build.router(around, limits.recipients), build.dispatcher(around, self._accounts)
        self.timers = build.timers(around)
        self.senders = {
            (channel, priority): build.sender(around, self._accounts, channel, priority)
            for channel in channels
            for priority in Priority
        }
        await self.relay.publish(0.0)
        for loop in self.loops:
            await self._members.enter_async_context(loop.consumer)

    @property
    def loops(self) -> list[Worker | Sender]:
        """Every loop, in the order in which an event meets them."""
        return [self.timers, self.router, self.dispatcher, *self.senders.values()]

    def answer(self, account: str, *results: Result | BaseException) -> None:
        """What a service answers to its next calls."""
        self.providers[account].script.extend(results)

    def messages(self, account: str) -> list[Message]:
        """What a service was given so far."""
        return self.providers[account].messages

    async def publish(
        self,
        type: str,  # noqa: A002 (CloudEvents names it so)
        *,
        to: Any = None,
        data: Any = None,
        settle: bool = True,
        **attributes: Any,
    ) -> Accepted:
        """An event comes in, and what can happen at once happens. Raises `Invalid` as the HTTP interface would."""
        draft = Draft(attributes={"type": type, **attributes}, data=Raw(msgspec.json.encode(data)), to=to)
        [accepted] = await self._accept.accept([draft])
        if settle:
            await self.settle()
        return accepted

    async def report(
        self, delivery: Delivery, status: Status, reason: Reason | None = None, dedup: str | None = None
    ) -> None:
        """A service's callback says what became of a delivery."""
        fact = Receipt(
            notification=delivery.notification,
            at=self.clock.now(),
            delivery=delivery.id,
            account=delivery.account or delivery.channel,
            status=status,
            reason=reason,
            dedup=dedup or f"{delivery.id}/{status}",
        )
        await self.tell(fact)
        await self.settle()

    async def tell(self, fact: Any) -> None:
        """Put a fact into the journal."""
        topic = self.topics.journal(Priority.normal)
        await self.broker.publish([Record(topic, fact.notification, encode(fact))])

    async def settle(self) -> None:
        """Run every loop until nothing moves any more."""
        while sum([await loop.step() for loop in self.loops]):
            pass

    async def advance(self, duration: str | float) -> None:
        """Let time pass (`"2h"` or seconds), stopping at every timer on the way."""
        span = parse_duration(duration, "advance") if isinstance(duration, str) else duration
        end = self.clock.now() + span
        await self.settle()
        while (due := await self.database.read(timers.next_due)) is not None and due <= end:
            self.clock.advance(max(0.0, due - self.clock.now()))
            await self.settle()
        self.clock.advance(end - self.clock.now())
        await self.settle()

    async def deliveries(self) -> list[Delivery]:
        """All of the ledger, in the order they were made: by notification, then step and slot."""
        found = await self.database.read(rows.everything, tables.deliveries, ledger.DELIVERY)
        read_all = [ledger.read_delivery(row) for row in found]
        return sorted(read_all, key=lambda d: (d.created, d.notification, int(d.step), d.slot))

    async def notifications(self) -> list[Notification]:
        """All of the ledger, by id."""
        ids = await self.database.read(rows.everything, tables.notifications, ("id",))
        found = await self.database.read(ledger.notifications, [row[0] for row in ids])
        return [found[name] for name in sorted(found)]

    async def dead(self) -> Sequence[rows.Found]:
        """(topic, reason, detail) of every dead letter."""
        return await self.database.read(rows.everything, tables.dead, ("topic", "reason", "detail"))
