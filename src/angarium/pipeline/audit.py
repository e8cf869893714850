"""The audit: proves by ids that nothing which was accepted went missing.

It reads every event record again and looks for what became of it, then for each event's runs, each run's
notifications, each notification's deliveries, and whatever moves those that are open. It may run beside the workers:
what is under way is no hole, and what looks like one is looked at again after the journal was seen empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from angarium.database import Connection
from angarium.database import audit as queries
from angarium.database.audit import Named
from angarium.database.engine import Database
from angarium.database.runs import EventKey
from angarium.errors import Incompatible
from angarium.model.channels import CHANNELS
from angarium.model.fact import Started
from angarium.model.reasons import Priority, Progress, Reason, Status
from angarium.pipeline import checks, records, sentences
from angarium.pipeline.checks import Hole, Suspect
from angarium.pipeline.decisions import Case, progress
from angarium.pipeline.explain import cases
from angarium.pipeline.records import Undecodable
from angarium.pipeline.recount import Events, Recount
from angarium.pipeline.router import hash_sum
from angarium.pipeline.topics import Topics
from angarium.ports.broker import Broker
from angarium.ports.clock import Clock

#: So many holes and unfinished notifications are told one by one.
HOLES, UNFINISHED = 100, 20


class Groups(Struct, frozen=True):
    """The consumer groups of the roles. `channels` are those with Senders, of groups `sender.<channel>.<priority>`."""

    router: str = "router"
    dispatcher: str = "dispatcher"
    sender: str = "sender"
    channels: Sequence[str] = CHANNELS


class Tally(Struct, frozen=True):
    """How many deliveries of a channel stand so, and why."""

    channel: str
    status: Status
    reason: Reason | None
    count: int


class Unfinished(Struct, frozen=True):
    """A notification that is still running; `age` is in seconds."""

    id: str
    status: Progress
    age: float
    why: str


class Audit(Struct, frozen=True, kw_only=True):
    """`ok`: no hole. `complete`: nothing is under way either, so that `ok` speaks of everything.

    `lag` holds the topics with records not yet handled. `holes` are the first `HOLES` of `hole_count`, which counts
    at most a page of those that something under way might have mended; `unfinished` are the oldest `UNFINISHED`.
    """

    ok: bool
    complete: bool
    events: Events
    runs: int
    notifications: Mapping[Progress, int]
    deliveries: tuple[Tally, ...]
    parked: int
    unknown: int
    unfinished: tuple[Unfinished, ...]
    holes: tuple[Hole, ...]
    hole_count: int
    lag: Mapping[str, int]


async def audit(
    broker: Broker, database: Database, topics: Topics, clock: Clock, *, groups: Groups | None = None, page: int = 1000
) -> Audit:
    """Look at everything, `page` rows or records at a time. Raises `Unavailable`."""
    return await _Walk(broker, database, topics, clock, groups or Groups(), page).go()


class _Walk:
    """One audit's working memory: sums, and at most a page of suspects."""

    def __init__(
        self, broker: Broker, database: Database, topics: Topics, clock: Clock, groups: Groups, page: int
    ) -> None:
        self.broker, self.database, self.topics, self.clock = broker, database, topics, clock
        self.groups, self.page = groups, page
        self.deliveries = Counter[tuple[str, Status, Reason | None]]()
        self.notifications, self.runs = Counter[Progress](), 0
        self.holes, self.hole_count, self.suspects = list[Hole](), 0, list[Suspect]()

    async def go(self) -> Audit:
        """Downstream, so that what is moving meanwhile is met again, not missed."""
        events = [self.topics.events(priority) for priority in Priority]
        recount = Recount(self.database, self.page, self.hole)
        await recount.read(self.broker, events)
        await self.look_at_events()
        await self.look_at_runs()
        await self.look_at_notifications()
        lag = await self.lag()
        await recount.settle(lag)
        await self.look_again(lag)
        return await self.told(lag, recount.events())

    async def look_at_events(self) -> None:
        """Page by page, in the order of the primary key."""
        after: EventKey = ("", "", "")
        while found := await self.database.read(queries.counted, after, self.page):
            self.suspect(suspect for counted in found for suspect in checks.event(counted))
            after = (found[-1].tenant, found[-1].source, found[-1].id)

    async def look_at_runs(self) -> None:
        """Page by page, by id."""
        after = ""
        while ids := await self.database.read(queries.ids, "runs", after, self.page):
            self.runs += len(ids)
            self.suspect(await self.database.read(_runs, ids))
            after = ids[-1]

    async def look_at_notifications(self) -> None:
        """Page by page, by id; the tallies on the way."""
        after = ""
        while ids := await self.database.read(queries.ids, "notifications", after, self.page):
            for kept in await self.database.read(queries.kept, ids):
                self.notifications[kept.status] += 1
                self.deliveries.update((part.channel, part.status, part.reason) for part in kept.parts)
                self.suspect(checks.notification(kept))
            after = ids[-1]

    async def lag(self) -> dict[str, int]:
        """By topic, upstream first: what the Router has passed is in the journal when that is asked."""
        lag: dict[str, int] = {}
        for group, topics in self.watched():
            async with self.broker.consumer(topics, group) as consumer:  # it never polls, so it takes nothing away
                lag |= {topic: found.records for topic, found in (await consumer.lag()).items() if found.records}
        return lag

    def watched(self) -> Iterable[tuple[str, list[str]]]:
        """Each group with its topics."""
        yield self.groups.router, [self.topics.events(priority) for priority in Priority]
        yield self.groups.dispatcher, [self.topics.journal(priority) for priority in Priority]
        for channel in self.groups.channels:
            for priority in Priority:
                yield f"{self.groups.sender}.{channel}.{priority}", [self.topics.deliver(channel, priority)]

    async def look_again(self, lag: Mapping[str, int]) -> None:
        """When nothing was under way, a suspect that did not move since is a hole."""
        behind = [self.topics.events(p) for p in Priority] + [self.topics.journal(p) for p in Priority]
        if not self.suspects or any(topic in lag for topic in behind):
            return
        again = set(await self.database.read(_runs, {one.owner for one in self.suspects if one.what == "run"}))
        owners = sorted({one.owner for one in self.suspects if one.what != "run"})
        for kept in await self.database.read(queries.kept, owners):
            again.update(checks.notification(kept))
        buried = await self.buried_notifications()
        for suspect in self.suspects:
            if suspect in again and not await self.explained(suspect, buried):
                self.hole(Hole(suspect.what, suspect.id, suspect.problem))

    async def buried_notifications(self) -> Mapping[str, set[str]]:
        """By run, the notifications whose `started` is a dead letter that can be replayed."""
        buried: dict[str, set[str]] = {}
        for priority in Priority:
            for value in await self.database.read(queries.letters, self.topics.journal(priority), self.page):
                try:
                    fact = records.fact(value)
                except (Undecodable, Incompatible):
                    continue
                if isinstance(fact, Started):
                    buried.setdefault(fact.run, set()).add(fact.notification)
        return buried

    async def explained(self, suspect: Suspect, buried: Mapping[str, set[str]]) -> bool:
        """Whether the dead letters are all that a run misses."""
        if suspect.what != "run" or suspect.id not in buried:
            return False
        letters = buried[suspect.id]
        found = await self.database.read(queries.named, [suspect.id], lambda ids: hash_sum({*ids, *letters}))
        said = await self.database.read(queries.said, [suspect.id])
        return found.get(suspect.id, Named(0, hash_sum(letters))).sum == said[suspect.id].sum

    def suspect(self, suspects: Iterable[Suspect]) -> None:
        """What is sure is a hole at once; the others are looked at again."""
        for suspect in suspects:
            if suspect.sure:
                self.hole(Hole(suspect.what, suspect.id, suspect.problem))
            elif len(self.suspects) < self.page:
                self.suspects.append(suspect)

    def hole(self, hole: Hole) -> None:
        """Count it, and keep it while there are few."""
        self.hole_count += 1
        if len(self.holes) < HOLES:
            self.holes.append(hole)

    async def told(self, lag: Mapping[str, int], events: Events) -> Audit:
        """The result."""
        now = self.clock.now()
        found = await self.database.read(_unfinished)
        unfinished = tuple(
            Unfinished(c.notification.id, c.notification.status, now - c.notification.started, _why(c, now))
            for c in found
        )
        tallies = sorted(self.deliveries.items(), key=lambda item: [str(word) for word in item[0]])
        return Audit(
            ok=self.hole_count == 0,
            complete=not (unfinished or lag or events.unread or self.notifications[Progress.running]),
            events=events,
            runs=self.runs,
            notifications=dict(self.notifications),
            deliveries=tuple(Tally(*standing, count) for standing, count in tallies),
            parked=sum(count for (_, status, _), count in tallies if status is Status.parked),
            unknown=sum(count for (_, status, _), count in tallies if status is Status.unknown),
            unfinished=unfinished,
            holes=tuple(self.holes),
            hole_count=self.hole_count,
            lag=lag,
        )


def _runs(connection: Connection, ids: Iterable[str]) -> list[Suspect]:
    said = queries.said(connection, ids)
    named = queries.named(connection, said, hash_sum)
    return [s for name, run in said.items() for s in checks.run(name, run, named.get(name, Named(0, 0)))]


def _unfinished(connection: Connection) -> list[Case]:
    return cases(connection, queries.running(connection, UNFINISHED))


def _why(case: Case, now: float) -> str:
    """What the first open delivery waits for, else what the plan waits for."""
    n = case.notification
    open_ = [row for row in case.deliveries if row.status in (Status.waiting, Status.sending, Status.unknown)]
    return sentences.delivery(open_[0], case.lines, n.accepted, now) if open_ else progress(case)
