"""Decisions in the order of a plan: why each channel of each step was, or was not, sent over. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from angarium.decide import lifecycle
from angarium.model.delivery import Delivery
from angarium.model.ids import digest
from angarium.model.notification import Notification
from angarium.model.reasons import Progress, Reason, Status
from angarium.model.timeline import Line
from angarium.model.workflow import Delay, FirstOf, Plan, Send, Step, Stop
from angarium.pipeline import sentences
from angarium.pipeline.sentences import REASONS, moment, span


class Case(Struct, frozen=True, kw_only=True):
    """All that is known of one notification. `timers` are its own, as hop and due time."""

    notification: Notification
    plan: Plan
    deliveries: Sequence[Delivery]
    lines: Sequence[Line]
    timers: Mapping[str, float] = {}


class Decision(Struct, frozen=True, kw_only=True):
    """What was decided about one channel of one step (`channel` None: a step that sends nothing), in a sentence."""

    step: str
    channel: str | None = None
    sentence: str
    delivery: str | None = None
    user: str | None = None
    address: str | None = None
    status: Status | None = None
    reason: Reason | None = None
    account: str | None = None
    tries: int = 0


def progress(case: Case) -> str:
    """Where the notification stands as a whole."""
    n = case.notification
    if n.status is not Progress.running:
        return f"{n.status}, {REASONS[n.reason] if n.reason else 'every step was done'}"
    if n.due is not None:
        return f"running, waits until {moment(n.due)}"
    if n.step >= len(case.plan.steps):
        return "running, waits for what was handed over"
    return f"running, {_label(n.step, case.plan.steps[n.step])} is being done"


def decisions(case: Case, now: float) -> Iterator[Decision]:
    """One for each delivery, and one for each channel and step that has none."""
    for index, step in enumerate(case.plan.steps):
        match step:
            case Send():
                for channel in step.channels:
                    yield from _slot(case, index, step, channel, channel, now)
            case FirstOf():
                for number, channel in enumerate(step.channels):
                    yield from _slot(case, index, step, str(number), channel, now)
            case Delay() | Stop():
                yield Decision(step=str(index), sentence=_pause(case, index, step))


def _slot(case: Case, index: int, step: Send | FirstOf, slot: str, channel: str, now: float) -> Iterator[Decision]:
    rows = [r for r in _rows(case, index) if r.slot == slot or r.slot.startswith(f"{slot}:")]
    for row in rows:
        yield Decision(
            step=row.step,
            channel=channel,
            sentence=sentences.delivery(row, case.lines, case.notification.accepted, now),
            delivery=row.id,
            user=row.user,
            address=sentences.masked(row.address),
            status=row.status,
            reason=row.reason,
            account=row.account,
            tries=row.try_,
        )
    if not rows:
        yield Decision(step=str(index), channel=channel, sentence=_absent(case, index, step, channel))


def _rows(case: Case, index: int) -> list[Delivery]:
    return [row for row in case.deliveries if row.step == str(index)]


def _absent(case: Case, index: int, step: Send | FirstOf, channel: str) -> str:
    """Why a channel of a step has no delivery."""
    if (line := _noted(case, "step", index)) is not None:
        return line.detail
    rows = _rows(case, index)
    if not rows:
        return f"{_label(index, step, channel)}: {_not_reached(case, index)}"
    last = rows[-1]
    if case.notification.status is Progress.running and case.notification.step == index:
        due = case.timers.get(f"silence:{index}:{last.slot.partition(':')[0]}")
        return f"{channel}: not tried yet, " + (
            f"{last.channel} has until {moment(due)}" if due is not None else f"it is the turn of {last.channel}"
        )
    best = max(rows, key=lifecycle.stands)
    if lifecycle.reached(best, Status.delivered):
        return f"{channel}: not tried, {best.channel} reached the person first"
    if lifecycle.reached(best, Status.sent):
        return f"{channel}: not tried, {best.channel} was sent first"
    if best.status is Status.parked:
        return f"{channel}: not tried, {best.channel} may have reached the person"
    return f"{channel}: {_not_reached(case, index)}"


def _pause(case: Case, index: int, step: Delay | Stop) -> str:
    """What a step that sends nothing did."""
    if (line := _noted(case, "step", index)) is not None:
        return line.detail
    label, n = _label(index, step), case.notification
    if isinstance(step, Stop) and _noted(case, "stopped", index) is not None:
        return f"{label}: ended the plan, {step.reason}"
    if isinstance(step, Delay) and index == n.step and n.due is not None and n.status is Progress.running:
        return f"{label}: waits until {moment(n.due)}"
    if isinstance(step, Delay) and index < min(n.step, _end(case)):
        return f"{label}: waited {span(step.seconds)}"
    return f"{label}: {_not_reached(case, index)}"


def _not_reached(case: Case, index: int) -> str:
    n = case.notification
    if n.reason is not None:
        return f"not reached, {REASONS[n.reason]}"
    if n.status is not Progress.running or index < n.step:
        return "nothing was decided for it, which must not happen: run the audit"
    if n.due is None:
        return f"not reached yet, {_label(n.step, case.plan.steps[n.step])} is being done"
    return f"waits until {moment(n.due)}{'' if index == n.step + 1 else ' at least'}"


def _end(case: Case) -> int:
    """The index of the stop step that ended the plan, else its length."""
    stops = (i for i in range(len(case.plan.steps)) if _noted(case, "stopped", i) is not None)
    return next(stops, len(case.plan.steps))


def _noted(case: Case, kind: str, index: int) -> Line | None:
    """The line that the Dispatcher wrote about a step."""
    identity = digest(kind, str(index))
    return next((line for line in case.lines if line.fact == identity), None)


def _label(index: int, step: Step, channel: str | None = None) -> str:
    what = channel or {Delay: "delay", Stop: "stop", FirstOf: "first of"}.get(type(step), "send")
    return f"step {step.name or index} ({what})"
