"""The Dispatcher owns every notification: it applies the facts, decides what next, and records why.

It decides from the ledger's present state, once a batch, and saves the decision with the exact bytes it publishes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from angarium.database import Connection, early, gate, ledger, outbox, timers, users
from angarium.database.dead import DeadLetter
from angarium.database.outbox import Parcel
from angarium.database.users import UserKey
from angarium.decide.choose import Accounts
from angarium.decide.gate import Permissions
from angarium.decide.judge import Verdict, judge
from angarium.decide.lifecycle import stands
from angarium.decide.recipients import is_inline
from angarium.decide.steps import World
from angarium.expressions import Expressions
from angarium.model.delivery import Delivery
from angarium.model.event import Event, attributes
from angarium.model.fact import Fact, Started, identity
from angarium.model.notification import Notification
from angarium.model.reasons import Progress, Reason, Status
from angarium.model.user import Person
from angarium.model.workflow import FirstOf, Plan, Send
from angarium.pipeline import announce, records
from angarium.pipeline.handler import Outcome, Write, letter
from angarium.pipeline.records import Undecodable, encode
from angarium.pipeline.topics import Topics
from angarium.ports.broker import Batch, Record
from angarium.ports.clock import Clock

_plans = msgspec.json.Decoder(Plan)
_events = msgspec.json.Decoder(Event)
_persons = msgspec.json.Decoder(Person)


class Gathered(Struct, frozen=True):
    """The batch's facts by notification, and all that the ledger and its surroundings know of them.

    `started` are the notifications that begin in this batch, `refreshed` the people that it brings news of.
    """

    facts: Mapping[str, Sequence[Fact]]
    dead: tuple[DeadLetter, ...]
    notifications: Mapping[str, Notification]
    deliveries: Mapping[str, Mapping[str, Delivery]]
    plans: Mapping[str, Plan]
    people: Mapping[UserKey, Person]
    permissions: Mapping[str, Permissions]
    cancelled: Mapping[str, Reason]
    started: frozenset[str]
    refreshed: Mapping[UserKey, Person]
    now: float


class Dispatcher:
    """A `Handler` over `journal.*`."""

    def __init__(self, accounts: Accounts, topics: Topics, clock: Clock) -> None:
        self._accounts, self._topics, self._clock = accounts, topics, clock
        self._expressions = Expressions()

    def gather(self, connection: Connection, batch: Batch) -> Gathered:
        """Decode, then read the batch's notifications and what may touch them, a trip a table."""
        told, dead = self._decode(batch)
        stored = ledger.notifications(connection, told)
        new = {name: fact for name, facts in told.items() if name not in stored and (fact := _first_started(facts))}
        for name, value in early.of(connection, new):
            told[name].append(records.fact(value))
        known = {**stored, **{name: _introduced(fact) for name, fact in new.items()}}
        plans = {name: _plans.decode(notification.plan) for name, notification in known.items()}
        open_ = {name: n for name, n in known.items() if n.status is Progress.running}
        wanted = {(n.tenant, user) for name, n in open_.items() for user in _users(n, plans[name])}
        people = users.people(connection, wanted)
        refreshed = _refreshed(people, [(fact, plans[name]) for name, fact in new.items()])
        people |= refreshed
        return Gathered(
            facts=told,
            dead=tuple(dead),
            notifications=known,
            deliveries=ledger.deliveries(connection, stored),
            plans=plans,
            people=people,
            permissions=gate.permissions(connection, wanted, _addresses(people.values())),
            cancelled=gate.cancelled(connection, {name for n in open_.values() for name in (n.id, n.run)}),
            started=frozenset(new),
            refreshed=refreshed,
            now=self._clock.now(),
        )

    def decide(self, batch: Batch, gathered: Gathered) -> Outcome:
        """One verdict a notification; one outbox row for all that they publish."""
        people = {name: _person(name, gathered) for name in gathered.facts if name in gathered.notifications}
        verdicts = [self._judge(name, person, gathered) for name, person in people.items()]
        handovers = [r for v in verdicts for r in self._handovers(v, people[v.notification.id], gathered)]
        publish = (*handovers, *(r for v in verdicts for r in self._statuses(v, gathered.now)))
        key = (batch[0].topic, batch[0].partition, batch[0].offset)
        parcels = [Parcel(key, publish, gathered.now)] if publish else []
        return Outcome(
            save=(*_ledger(verdicts, gathered.started), *_surroundings(gathered), *_progress(batch, parcels)),
            publish=publish,
            dead=gathered.dead,
            after=(Write(outbox.delete, ([key],)),) if publish else (),
            counts=tuple(count for verdict in verdicts for count in _counts(verdict, gathered.now)),
        )

    def _decode(self, batch: Batch) -> tuple[dict[str, list[Fact]], list[DeadLetter]]:
        told, dead = dict[str, list[Fact]](), list[DeadLetter]()
        for record in batch:
            try:
                fact = records.fact(record.value)
            except Undecodable as error:
                dead.append(letter(record, Reason.undecodable, str(error), self._clock.now()))
            else:
                told.setdefault(fact.notification, []).append(fact)
        return told, dead

    def _judge(self, name: str, person: Person, gathered: Gathered) -> Verdict:
        notification, plan = gathered.notifications[name], gathered.plans[name]
        if name in gathered.started:
            locale = notification.locale or person.locale or ""
            notification = msgspec.structs.replace(notification, person=Raw(encode(person)), locale=locale)
        tenant = notification.tenant
        world = World(
            person=person,
            people={user: found for (owner, user), found in gathered.people.items() if owner == tenant}
            if _others(plan)
            else {},
            accounts=self._accounts,
            permissions=gathered.permissions.get(tenant, Permissions()),
            expressions=self._expressions,
            context=_context(notification, person) if any(step.when for step in plan.steps) else {},
            cancelled=gathered.cancelled.get(notification.id) or gathered.cancelled.get(notification.run),
            now=gathered.now,
        )
        return judge(notification, plan, gathered.deliveries.get(name, {}), gathered.facts[name], world)

    def _handovers(self, verdict: Verdict, person: Person, gathered: Gathered) -> Iterator[Record]:
        """Who the person is was pinned at the start: every try says the same. Addresses are the present ones."""
        plan = gathered.plans[verdict.notification.id]
        for name in verdict.handovers:
            delivery = verdict.after[name]
            step = plan.steps[int(delivery.step)]
            content = step.content if isinstance(step, Send | FirstOf) else None
            whose = verdict.notification.person
            if delivery.user != person.id:
                whose = Raw(encode(gathered.people[delivery.tenant, delivery.user]))
            accounts = self._order(verdict.before.get(name), delivery)
            yield announce.handover(
                delivery, verdict.notification, whose, content, plan.category, accounts, self._topics
            )

    def _order(self, before: Delivery | None, delivery: Delivery) -> tuple[str, ...]:
        """Another account only after a definite non-send: then, and only then, the delivery was waiting."""
        if before is None or before.status is Status.waiting:
            return self._accounts.order(delivery.channel, delivery.account)
        return self._accounts.same(delivery.channel, delivery.account)

    def _statuses(self, verdict: Verdict, now: float) -> Iterator[Record]:
        for delivery in _news(verdict):
            if delivery.status not in announce.SILENT:
                yield announce.status(delivery, verdict.notification, self._topics, now)


def _first_started(facts: Iterable[Fact]) -> Started | None:
    return next((fact for fact in facts if isinstance(fact, Started)), None)


def _introduced(fact: Started) -> Notification:
    """A notification as its `started` tells it; who the person is by all accounts is added when it is judged."""
    return Notification(
        id=fact.notification,
        tenant=fact.tenant,
        run=fact.run,
        user=fact.user,
        workflow=fact.workflow,
        release=fact.release,
        category=fact.category,
        priority=fact.priority,
        locale=fact.locale or "",
        plan=fact.plan,
        event=fact.event,
        person=Raw(b"{}"),
        accepted=fact.accepted,
        started=fact.at,
    )


def _users(notification: Notification, plan: Plan) -> Iterator[str]:
    """Whoever the plan may send to."""
    yield notification.user
    yield from (entry["id"] for entry in _others(plan))


def _others(plan: Plan) -> list[dict[str, Any]]:
    """The people that steps name besides the recipient, as the Router pinned them."""
    return [entry for step in plan.steps if isinstance(step, Send | FirstOf) for entry in step.to or ()]


def _refreshed(stored: Mapping[UserKey, Person], started: Iterable[tuple[Started, Plan]]) -> dict[UserKey, Person]:
    """People whom an event described differently from what is stored, and others that a plan names inline."""
    news: dict[UserKey, Person] = {}
    for fact, plan in started:
        others = [msgspec.convert(entry, Person) for entry in _others(plan)]
        for inline in (fact.person or Person(id=fact.user), *others):
            key = (fact.tenant, inline.id)
            person = users.merged(news.get(key) or stored.get(key), inline, inline.id)
            if person != stored.get(key):
                news[key] = person
    return news


def _addresses(people: Iterable[Person]) -> set[str]:
    """Every place that a suppression could name."""
    found = {value for p in people for value in (p.id, p.email, p.phone, p.webhook) if value}
    return found | {device.address for p in people for device in p.devices}


def _person(name: str, gathered: Gathered) -> Person:
    """The recipient as known now; what was pinned at the start serves where nothing is stored."""
    notification = gathered.notifications[name]
    stored = gathered.people.get((notification.tenant, notification.user))
    return stored or _persons.decode(notification.person)


def _context(notification: Notification, person: Person) -> dict[str, Any]:
    """What conditions may speak of."""
    event = _events.decode(notification.event)
    return {"event": attributes(event), "data": msgspec.json.decode(event.data), "user": msgspec.to_builtins(person)}


def _news(verdict: Verdict) -> Iterator[Delivery]:
    """Deliveries whose standing changed, not only their deadline."""
    for name in sorted(verdict.changed):
        before, after = verdict.before.get(name), verdict.after[name]
        if before is None or before.version != after.version:
            yield after


def _ledger(verdicts: Sequence[Verdict], started: frozenset[str]) -> Iterator[Write]:
    yield Write(ledger.insert_notifications, ([v.notification for v in verdicts if v.notification.id in started],))
    yield Write(ledger.move_notifications, ([v.notification for v in verdicts if v.notification.id not in started],))
    rows = [(v.before.get(name), v.after[name]) for v in verdicts for name in sorted(v.changed)]
    yield Write(ledger.insert_deliveries, ([after for before, after in rows if before is None],))
    yield Write(ledger.move_deliveries, ([after for before, after in rows if before is not None],))
    yield Write(ledger.save_lines, ([line for verdict in verdicts for line in verdict.lines],))
    yield Write(timers.save, ([timer for verdict in verdicts for timer in verdict.timers],))
    yield Write(gate.suppress, ([entry for verdict in verdicts for entry in verdict.suppressions],))


def _surroundings(gathered: Gathered) -> Iterator[Write]:
    """People who changed, and facts that came before their notification."""
    described = {key: person for key, person in gathered.refreshed.items() if is_inline(person)}
    yield Write(users.save, (described, gathered.now))
    strangers = [fact for name, facts in gathered.facts.items() if name not in gathered.notifications for fact in facts]
    yield Write(early.save, ([(f.notification, identity(f), encode(f), gathered.now) for f in strangers],))
    yield Write(early.delete, (sorted(gathered.started),))


def _progress(batch: Batch, parcels: list[Parcel]) -> Iterator[Write]:
    last = {("dispatcher", record.topic, record.partition): record.offset for record in batch}
    yield Write(outbox.save, (parcels,))
    yield Write(outbox.save_positions, ([(*key, offset) for key, offset in last.items()],))


def _counts(verdict: Verdict, now: float) -> Iterator[tuple[str, tuple[Any, ...]]]:
    priority = verdict.notification.priority
    for d in _news(verdict):
        if d.status not in announce.SILENT:
            yield "delivery", (d.channel, d.account, priority, d.status, d.reason)
        if d.status is Status.delivered and stands(d)[0] == 2:
            yield "delivered_after", (d.channel, priority, now - verdict.notification.accepted)
