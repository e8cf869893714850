"""The Router only says who: it matches events to workflows, names the recipients, and writes `started`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from angarium.database import Connection, runs
from angarium.database.dead import DeadLetter
from angarium.database.runs import EventKey, EventRow
from angarium.decide.recipients import NoRecipient, people, recipients
from angarium.errors import Invalid
from angarium.expressions import Expressions
from angarium.model import times
from angarium.model.event import Event, attributes
from angarium.model.fact import Started
from angarium.model.ids import notification_id, run_id
from angarium.model.notification import Run
from angarium.model.reasons import Outcome as EventOutcome
from angarium.model.reasons import Reason
from angarium.model.user import Person
from angarium.model.workflow import FirstOf, Plan, Send, Workflow
from angarium.pipeline import records
from angarium.pipeline.handler import Outcome, Write, letter
from angarium.pipeline.records import Undecodable, encode
from angarium.pipeline.releases import Releases
from angarium.pipeline.topics import Topics
from angarium.ports.broker import Batch, Record
from angarium.ports.clock import Clock
from angarium.project import Release

#: Bytes of facts that one outcome may hold, as far as the recipients that an event names itself tell.
HEAVIEST = 32 * 1024 * 1024
#: How a person begins in `angto`, which is JSON inside a JSON text.
_PERSON = b'{\\"'
_people = msgspec.json.Decoder(tuple[Person, ...])


class Arrival(Struct, frozen=True):
    """An event with the record that brought it."""

    record: Record
    event: Event

    @property
    def key(self) -> EventKey:
        """What makes it the same event: tenant, source and id."""
        return (self.event.angtenant, self.event.source, self.event.id)


class Gathered(Struct, frozen=True):
    """What is stored of the batch's events and their runs; `releases` are those that the stored runs are pinned to."""

    arrivals: tuple[Arrival, ...]
    dead: tuple[DeadLetter, ...]
    events: dict[EventKey, EventRow]
    runs: dict[EventKey, list[Run]]
    releases: dict[str, Release]


class Routed(Struct, frozen=True):
    """One event under one workflow: the run, stored or new, and its `started` facts."""

    run: Run
    facts: tuple[Started, ...]


class Router:
    """A `Handler` over `events.*`."""

    def __init__(self, releases: Releases, topics: Topics, clock: Clock, limit: int) -> None:
        self._releases, self._topics, self._clock, self._limit = releases, topics, clock, limit
        self._expressions = Expressions()

    def gather(self, connection: Connection, batch: Batch) -> Gathered:
        """Decode, and read what an earlier look at the same events has stored."""
        arrivals, dead = self._decode(batch)
        events = runs.stored_events(connection, {arrival.key for arrival in arrivals})
        stored = runs.stored_runs(connection, events)
        pinned = {run.release for found in stored.values() for run in found}
        releases = {name: self._releases.get(connection, name) for name in pinned}
        return Gathered(tuple(arrivals), tuple(dead), events, stored, releases)

    def decide(self, _batch: Batch, gathered: Gathered) -> Outcome:
        """Every event gets an outcome. One that is stored starts nothing new: its runs are told again as they were."""
        rows, known = dict(gathered.events), dict(gathered.runs)
        new, facts, counts = list[Run](), list[Started](), list[EventOutcome]()
        for arrival in gathered.arrivals:
            if arrival.key in rows:
                routed = self._again(arrival, known.get(arrival.key, []), gathered)
                row = rows[arrival.key]
            else:
                routed = self._first(arrival)
                row = rows[arrival.key] = _event_row(arrival, len(routed))
                known[arrival.key] = [start.run for start in routed]
                new += known[arrival.key]
            facts += [fact for start in routed for fact in start.facts]
            counts.append(row.outcome if _is_record(row, arrival.record) else EventOutcome.repeated)
        fresh = [row for key, row in rows.items() if key not in gathered.events]
        return Outcome(
            save=(Write(runs.save_events, (fresh,)), Write(runs.save_runs, (new,))),
            publish=tuple(self._record(fact) for fact in facts),
            dead=gathered.dead,
            counts=tuple(("decided", (outcome,)) for outcome in counts),
        )

    def _decode(self, batch: Batch) -> tuple[list[Arrival], list[DeadLetter]]:
        arrivals, dead = list[Arrival](), list[DeadLetter]()
        for record in batch:
            try:
                arrivals.append(Arrival(record, records.event(record.value)))
            except Undecodable as error:
                dead.append(letter(record, Reason.undecodable, str(error), self._clock.now()))
        return arrivals, dead

    def _first(self, arrival: Arrival) -> list[Routed]:
        """An event never seen before, under every workflow of the present release."""
        release = self._releases.current
        workflows = release.matcher.matching(arrival.event.type)
        context = _context(arrival.event) if workflows else {}
        return [self._start(arrival.event, workflow, release, None, context) for workflow in workflows]

    def _again(self, arrival: Arrival, stored: Sequence[Run], gathered: Gathered) -> list[Routed]:
        """A repeat, or the same record after a crash: what its runs were pinned to holds, deploy or not."""
        context = _context(arrival.event) if stored else {}
        releases = ((run, gathered.releases.get(run.release, self._releases.current)) for run in stored)
        return [
            self._start(arrival.event, release.workflows[run.workflow], release, run, context)
            for run, release in releases
        ]

    def _start(
        self, event: Event, workflow: Workflow, release: Release, stored: Run | None, context: dict[str, Any]
    ) -> Routed:
        accepted = times.seconds(event.angaccepted) if event.angaccepted else self._clock.now()
        started = stored.started if stored else accepted
        name = run_id(event.angtenant, event.source, event.id, workflow.name)
        try:
            named = self._recipients(event, workflow, context)
            plan = self._pin(release.plan(workflow), context)
        except (NoRecipient, Invalid):
            return Routed(stored or _run(name, event, workflow, release, started, (), Reason.no_recipient), ())
        ids = tuple(notification_id(name, person.id, started) for person in named)
        if stored is not None and (stored.named_count, stored.named_sum) != (len(ids), hash_sum(ids)):
            return Routed(stored, ())  # another event under the same id: the first one holds
        run = stored or _run(name, event, workflow, release, started, ids, None)
        body = Raw(encode(plan)), Raw(encode(_carried(event)))
        return Routed(run, tuple(_fact(*pair, run, accepted, *body) for pair in zip(ids, named, strict=True)))

    def _recipients(self, event: Event, workflow: Workflow, context: dict[str, Any]) -> tuple[Person, ...]:
        inline = _people.decode(event.angto) if event.angto else None
        resolved = None if inline or workflow.to is None else self._expressions.resolve(workflow.to, context)
        return recipients(workflow.to, inline, event.subject, resolved, self._limit)

    def _pin(self, plan: Plan, context: dict[str, Any]) -> Plan:
        """Who else gets a step is decided now, so that a run in progress never changes its mind."""
        if not any(isinstance(step, Send | FirstOf) and step.to is not None for step in plan.steps):
            return plan
        steps = tuple(
            msgspec.structs.replace(step, to=msgspec.to_builtins(people(self._expressions.resolve(step.to, context))))
            if isinstance(step, Send | FirstOf) and step.to is not None
            else step
            for step in plan.steps
        )
        return msgspec.structs.replace(plan, steps=steps)

    def _record(self, fact: Started) -> Record:
        return Record(self._topics.journal(fact.priority), fact.notification, encode(fact))


def _context(event: Event) -> dict[str, Any]:
    """What `to` may speak of."""
    return {"event": attributes(event), "data": msgspec.json.decode(event.data), "user": {}}


def _carried(event: Event) -> Event:
    """The event as it travels on: without the other recipients' addresses."""
    return msgspec.structs.replace(event, angto=None)


def _fact(notification: str, person: Person, run: Run, accepted: float, plan: Raw, event: Raw) -> Started:
    return Started(
        notification=notification,
        at=run.started,
        tenant=run.tenant,
        run=run.id,
        workflow=run.workflow,
        release=run.release,
        category=run.category,
        priority=run.priority,
        user=person.id,
        person=person if person != Person(id=person.id) else None,
        locale=person.locale,
        accepted=accepted,
        event=event,
        plan=plan,
    )


def _run(
    name: str,
    event: Event,
    workflow: Workflow,
    release: Release,
    started: float,
    ids: tuple[str, ...],
    reason: Reason | None,
) -> Run:
    return Run(
        id=name,
        tenant=event.angtenant,
        workflow=workflow.name,
        release=release.id,
        category=workflow.category,
        priority=release.plan(workflow).category.priority,
        source=event.source,
        event_id=event.id,
        named_count=len(ids),
        named_sum=hash_sum(ids),
        started=started,
        ended=None if ids else started,
        reason=reason,
    )


def hash_sum(ids: Iterable[str]) -> int:
    """A sum over ids that no order changes and no missing or exchanged id leaves the same; fits a signed 64-bit row."""
    hashes = (hashlib.blake2b(name.encode(), digest_size=7).digest() for name in ids)
    return sum(int.from_bytes(value, "big") for value in hashes) & ((1 << 62) - 1)


def _event_row(arrival: Arrival, run_count: int) -> EventRow:
    event, record = arrival.event, arrival.record
    return EventRow(
        tenant=event.angtenant,
        source=event.source,
        id=event.id,
        type=event.type,
        accepted=times.seconds(event.angaccepted) if event.angaccepted else record.at,
        outcome=EventOutcome.matched if run_count else EventOutcome.unmatched,
        run_count=run_count,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )


def _is_record(row: EventRow, record: Record) -> bool:
    """A crash shows a record again; that is no repeated event."""
    return (row.topic, row.partition, row.offset) == (record.topic, record.partition, record.offset)


def slices(batch: Batch) -> Iterator[Batch]:
    """Cut where the `started` facts of all recipients together, each with its event, would take too much memory."""
    part, weight = list[Record](), 0
    for record in batch:
        cost = len(record.value) * max(1, record.value.count(_PERSON))
        if part and weight + cost > HEAVIEST:
            yield part
            part, weight = [], 0
        part.append(record)
        weight += cost
    if part:
        yield part
