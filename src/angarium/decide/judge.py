"""One notification's turn: apply all its facts, then decide once what next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from angarium.decide.facts import Change, Policy, apply
from angarium.decide.steps import Decision, Note, World, evaluate
from angarium.model.delivery import Delivery
from angarium.model.fact import Due, Fact, Poke, Receipt, SentFact, identity
from angarium.model.notification import Notification
from angarium.model.reasons import Reason, Status
from angarium.model.timeline import Line, Suppression, Timer
from angarium.model.workflow import Plan


class Verdict(Struct, frozen=True):
    """What to save of one notification, and which deliveries to hand over.

    `before` and `after` hold every delivery, `changed` the ids that differ.
    """

    notification: Notification
    before: Mapping[str, Delivery]
    after: Mapping[str, Delivery]
    changed: frozenset[str]
    handovers: tuple[str, ...]
    timers: tuple[Timer, ...]
    lines: tuple[Line, ...]
    suppressions: tuple[Suppression, ...]


def judge(
    notification: Notification, plan: Plan, deliveries: Mapping[str, Delivery], facts: Sequence[Fact], world: World
) -> Verdict:
    """Pure: the same facts over the same rows come to the same verdict."""
    rows, changes = dict(deliveries), list[tuple[Fact, Change]]()
    for fact in facts:
        row = rows.get(_delivery(fact))
        if row is not None:
            change = apply(row, fact, Policy(plan.category, world.accounts, world.now))
            rows[row.id] = change.delivery
            changes.append((fact, change))
    touched = frozenset(name for name, row in rows.items() if row is not deliveries[name])
    hops = frozenset(fact.hop for fact in facts if isinstance(fact, Due))
    decision = evaluate(notification, plan, rows, hops, touched, world)
    rows |= decision.changed
    handed = dict.fromkeys([c.delivery.id for _, c in changes if c.handover] + list(decision.handovers))
    return Verdict(
        notification=decision.notification,
        before=deliveries,
        after=rows,
        changed=touched | frozenset(decision.changed),
        handovers=tuple(name for name in handed if rows[name].status is Status.sending),
        timers=tuple(_timers(notification, changes, decision)),
        lines=tuple(_lines(notification, facts, decision, world.now)),
        suppressions=tuple(s for fact, change in changes if (s := _suppression(fact, change)) is not None),
    )


def _delivery(fact: Fact) -> str:
    """Which delivery a fact speaks of; a timer's subject may be one."""
    if isinstance(fact, Due):
        return fact.timer.partition("/")[0]
    return getattr(fact, "delivery", "")


def _timers(notification: Notification, changes: Sequence[tuple[Fact, Change]], decision: Decision) -> Sequence[Timer]:
    wanted = [(change.delivery.id, hop, due) for _, change in changes for hop, due in change.timers]
    return [
        Timer(
            subject=subject,
            hop=hop,
            tenant=notification.tenant,
            notification=notification.id,
            priority=notification.priority,
            due=due,
        )
        for subject, hop, due in (*wanted, *decision.timers)
    ]


def _lines(notification: Notification, facts: Sequence[Fact], decision: Decision, now: float) -> Sequence[Line]:
    told = [_fact_line(notification, fact) for fact in facts if not isinstance(fact, Poke)]
    return [*told, *(_note_line(notification, note, now) for note in decision.notes)]


def _fact_line(notification: Notification, fact: Fact) -> Line:
    reason: Reason | None = getattr(fact, "reason", None)
    subject = _delivery(fact)
    return Line(
        notification=notification.id,
        fact=identity(fact),
        tenant=notification.tenant,
        at=fact.at,
        kind=fact.status.value if isinstance(fact, Receipt) else str(fact.__struct_config__.tag),
        delivery=subject if subject.startswith("dlv_") else None,
        reason=reason,
        detail=_detail(fact),
    )


def _note_line(notification: Notification, note: Note, now: float) -> Line:
    return Line(
        notification=notification.id,
        fact=note.fact,
        tenant=notification.tenant,
        at=now,
        kind=note.kind,
        delivery=note.delivery,
        reason=note.reason,
        detail=note.detail,
    )


def _detail(fact: Fact) -> str:
    """A few words for people: never an address, never content."""
    match fact:
        case Due():
            return fact.hop
        case SentFact():
            return f"try {fact.try_} by {fact.account} in {fact.ms:.0f} ms"
        case Receipt():
            return f"reported by {fact.account}"
        case _:
            try_ = getattr(fact, "try_", None)
            return f"try {try_}" if try_ else ""


def _suppression(fact: Fact, change: Change) -> Suppression | None:
    row = change.delivery
    if change.suppress is None or row.address is None or not isinstance(fact, Receipt):
        return None
    return Suppression(
        tenant=row.tenant,
        channel=row.channel,
        address=row.address.value,
        reason=change.suppress,
        source=fact.account,
        at=fact.at,
    )
