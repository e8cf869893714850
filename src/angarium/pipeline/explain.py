"""Explain: what became of an event, a person's notifications or one of them, and why, in plain sentences.

One read gathers what is stored; all sentences are made by pure functions over it. No address is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from angarium.database import Connection, ledger
from angarium.database import explain as stored
from angarium.database.dead import DeadLetter
from angarium.database.engine import Database
from angarium.database.runs import EventRow
from angarium.errors import Incompatible, nearest
from angarium.model import times
from angarium.model.event import Event
from angarium.model.notification import Run
from angarium.model.reasons import Outcome, Progress, Reason
from angarium.model.timeline import Line
from angarium.model.workflow import Plan
from angarium.pipeline import records
from angarium.pipeline.decisions import Case, Decision, decisions, progress
from angarium.pipeline.records import Undecodable
from angarium.pipeline.sentences import REASONS

#: Kinds of lines in the order in which they follow from one another, for those of the same moment.
_KINDS = ("started", "due", "arrived", "step", "sent", "unknown", "deferred", "rejected", "dropped", "behind")


_event_of = msgspec.json.Decoder(Event).decode
_plan = msgspec.json.Decoder(Plan).decode


class Entry(Struct, frozen=True, kw_only=True):
    """A line of a timeline. `at` is RFC 3339."""

    at: str
    kind: str
    delivery: str | None
    reason: Reason | None
    detail: str


class NotificationStory(Struct, frozen=True, kw_only=True):
    """One notification of an event: `decisions` in the order of its plan, `timeline` of time. Times are RFC 3339."""

    id: str
    run: str
    source: str
    event: str
    type: str
    user: str
    workflow: str
    category: str
    status: Progress
    reason: Reason | None
    sentence: str
    started: str
    ended: str | None
    decisions: tuple[Decision, ...]
    timeline: tuple[Entry, ...]


class RunStory(Struct, frozen=True, kw_only=True):
    """One event under one workflow; `recipients` is how many it named."""

    id: str
    workflow: str
    recipients: int
    reason: Reason | None
    sentence: str


class EventStory(Struct, frozen=True, kw_only=True):
    """One event. `outcome` None: nothing is known of it."""

    source: str | None
    id: str
    type: str | None = None
    accepted: str | None = None
    outcome: Outcome | None
    sentence: str
    runs: tuple[RunStory, ...] = ()


class Explanation(Struct, frozen=True, kw_only=True):
    """`events` are told when an event was asked for. `more`: there are older notifications that fit."""

    events: tuple[EventStory, ...]
    notifications: tuple[NotificationStory, ...]
    more: bool


class Question(Struct, frozen=True, kw_only=True):
    """What is asked; all that is given must fit."""

    tenant: str
    recipient: str | None = None
    event: str | None = None
    source: str | None = None
    notification: str | None = None
    limit: int = 50


class Found(Struct, frozen=True, kw_only=True):
    """What is stored that answers a question; `cases` are newest first."""

    events: Sequence[tuple[EventRow, Sequence[Run]]]
    dead: Sequence[DeadLetter]
    cases: Sequence[Case]
    more: bool


async def explain(
    database: Database,
    *,
    tenant: str,
    recipient: str | None = None,
    event: str | None = None,
    source: str | None = None,
    notification: str | None = None,
    limit: int = 50,
    now: float,
    types: Sequence[str] = (),
) -> Explanation:
    """What is known of the newest `limit` notifications that fit, and of the event, at `now` (Unix seconds).

    `types` are the event types that workflows listen to; the nearest is named for an event that nobody listens to.
    """
    asked = Question(
        tenant=tenant, recipient=recipient, event=event, source=source, notification=notification, limit=limit
    )
    return explanation(await database.read(gather, asked), asked, types, now)


def gather(connection: Connection, asked: Question) -> Found:
    """All reads, over one snapshot."""
    events = stored.events(connection, asked.tenant, asked.event, asked.source) if asked.event is not None else []
    runs = [(event, stored.runs_of(connection, event)) for event in events]
    ids = stored.newest(
        connection,
        asked.tenant,
        asked.limit + 1,
        user=asked.recipient,
        runs=[run.id for _, some in runs for run in some] if asked.event is not None else None,
        notification=asked.notification,
    )
    dead = [] if events or asked.event is None else stored.buried(connection, asked.tenant, asked.event, asked.limit)
    shown = cases(connection, ids[: asked.limit])
    return Found(events=runs, dead=dead, cases=shown, more=len(ids) > asked.limit)


def cases(connection: Connection, ids: Sequence[str]) -> list[Case]:
    """All that is known of these notifications, in the same order."""
    notifications, deliveries = ledger.notifications(connection, ids), ledger.deliveries(connection, ids)
    lines, timers = stored.lines(connection, ids), stored.timers(connection, ids)
    return [
        Case(
            notification=notifications[name],
            plan=_plan(notifications[name].plan),
            deliveries=sorted(deliveries.get(name, {}).values(), key=lambda row: (int(row.step), row.slot)),
            lines=sorted(lines.get(name, ()), key=_moment),
            timers=timers.get(name, {}),
        )
        for name in ids
    ]


def _moment(line: Line) -> tuple[float, int]:
    return line.at, _KINDS.index(line.kind) if line.kind in _KINDS else len(_KINDS)


def explanation(found: Found, asked: Question, types: Sequence[str], now: float) -> Explanation:
    """Pure: what is stored, as people read it."""
    return Explanation(
        events=tuple(_events(found, asked, types)),
        notifications=tuple(_story(case, now) for case in found.cases),
        more=found.more,
    )


def _events(found: Found, asked: Question, types: Sequence[str]) -> Iterator[EventStory]:
    stories = [_event(event, runs, types) for event, runs in found.events]
    stories += [story for letter in found.dead if (story := _buried(letter, asked)) is not None]
    if asked.event is not None and not stories:
        sentence = "not known here: it was never accepted, still waits for the Router, or is older than what is kept"
        stories.append(EventStory(source=asked.source, id=asked.event, outcome=None, sentence=sentence))
    yield from stories


def _event(event: EventRow, runs: Sequence[Run], types: Sequence[str]) -> EventStory:
    sentence = f"started {', '.join(run.workflow for run in runs)}"
    if not runs:
        hint = f": {nearest(event.type, types)}" if types else ""
        sentence = f"no workflow listens to {event.type}{hint}"
    return EventStory(
        source=event.source,
        id=event.id,
        type=event.type,
        accepted=times.text(event.accepted),
        outcome=event.outcome,
        sentence=sentence,
        runs=tuple(_run(run) for run in runs),
    )


def _run(run: Run) -> RunStory:
    sentence = f"{run.named_count} recipient{'s' if run.named_count != 1 else ''}"
    if run.reason is not None:
        sentence += f", {REASONS[run.reason]}"
    return RunStory(id=run.id, workflow=run.workflow, recipients=run.named_count, reason=run.reason, sentence=sentence)


def _buried(letter: DeadLetter, asked: Question) -> EventStory | None:
    """A dead letter that holds the id: the event itself, or bytes that nobody can read; None for another event."""
    again = f", published again at {times.text(letter.replayed)}" if letter.replayed is not None else ""
    sentence = f"dead letter {letter.id} since {times.text(letter.at)}, {REASONS[letter.reason]}{again}"
    try:
        event = records.event(letter.value)
    except (Undecodable, Incompatible):
        sentence = f"a record that holds this id is {sentence}"
        return EventStory(source=None, id=asked.event or "", outcome=Outcome.dead, sentence=sentence)
    if (event.angtenant, event.id) != (asked.tenant, asked.event) or asked.source not in (None, event.source):
        return None
    accepted = event.angaccepted or None
    return EventStory(
        source=event.source, id=event.id, type=event.type, accepted=accepted, outcome=Outcome.dead, sentence=sentence
    )


def _story(case: Case, now: float) -> NotificationStory:
    n = case.notification
    event = _event_of(n.event)
    return NotificationStory(
        id=n.id,
        run=n.run,
        source=event.source,
        event=event.id,
        type=event.type,
        user=n.user,
        workflow=n.workflow,
        category=n.category,
        status=n.status,
        reason=n.reason,
        sentence=progress(case),
        started=times.text(n.started),
        ended=times.text(n.ended) if n.ended is not None else None,
        decisions=tuple(decisions(case, now)),
        timeline=tuple(_entry(line) for line in case.lines),
    )


def _entry(line: Line) -> Entry:
    return Entry(at=times.text(line.at), kind=line.kind, delivery=line.delivery, reason=line.reason, detail=line.detail)
