"""One notification's turn: apply all its facts, then decide what next: once, unless a fact was early."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from angarium.decide.facts import Change, Policy, apply
from angarium.decide.steps import Note, World, evaluate
from angarium.model.delivery import Delivery
from angarium.model.fact import Due, Fact, Poke, Receipt, RejectedFact, SentFact, identity
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
    turn = _Turn(notification, plan, deliveries, world)
    hops = frozenset(fact.hop for fact in facts if isinstance(fact, Due))
    left = turn.apply(facts)
    turn.evaluate(hops)
    while any(_delivery(fact) in turn.rows for fact in left):
        left = turn.apply(left)  # they came before their deliveries were planned
        turn.evaluate(frozenset())
    return turn.verdict(facts)


class _Turn:
    """One judgement's working memory; it lives as long as the call."""

    def __init__(
        self, notification: Notification, plan: Plan, deliveries: Mapping[str, Delivery], world: World
    ) -> None:
        self.notification, self.plan, self.before, self.world = notification, plan, deliveries, world
        self.rows = dict(deliveries)
        self.touched: frozenset[str] = frozenset()
        self.changed: frozenset[str] = frozenset()
        self.handovers: list[str] = []
        self.timers: list[tuple[str, str, float]] = []
        self.notes: list[Note] = []
        self.suppressions: list[Suppression] = []

    def apply(self, facts: Sequence[Fact]) -> list[Fact]:
        """What the facts make of the rows; those about deliveries that are not planned are left over."""
        policy = Policy(self.plan.category, self.world.accounts, self.world.now)
        known = [(fact, name) for fact in facts if (name := _delivery(fact)) in self.rows]
        old = dict(self.rows)
        for fact, name in known:
            change = apply(self.rows[name], fact, policy)
            self.rows[name] = change.delivery
            self.timers += [(name, hop, due) for hop, due in change.timers]
            self.handovers += [name] if change.handover else []
            self.suppressions += _suppression(fact, change)
        self.touched = frozenset(name for name, row in self.rows.items() if row is not old[name])
        self.changed |= self.touched
        return [fact for fact in facts if _delivery(fact) not in old]

    def evaluate(self, hops: frozenset[str]) -> None:
        """Decide what next, from where the rows stand now."""
        decision = evaluate(self.notification, self.plan, self.rows, hops, self.touched, self.world)
        self.notification = decision.notification
        self.rows |= decision.changed
        self.changed |= decision.changed.keys()
        self.handovers += decision.handovers
        self.timers += decision.timers
        self.notes += decision.notes

    def verdict(self, facts: Sequence[Fact]) -> Verdict:
        """The sum. What is past sending by now is not handed over; of timers set twice the last counts."""
        handed = [name for name in dict.fromkeys(self.handovers) if self.rows[name].status is Status.sending]
        due = {(subject, hop): due for subject, hop, due in self.timers}
        return Verdict(
            notification=self.notification,
            before=self.before,
            after=self.rows,
            changed=self.changed,
            handovers=tuple(handed),
            timers=tuple(_timer(self.notification, *name, moment) for name, moment in due.items()),
            lines=tuple(_lines(self.notification, facts, self.notes, self.world.now)),
            suppressions=tuple(self.suppressions),
        )


def _delivery(fact: Fact) -> str:
    """Which delivery a fact speaks of; a timer's subject may be one."""
    if isinstance(fact, Due):
        return fact.timer.partition("/")[0]
    return getattr(fact, "delivery", "")


def _timer(notification: Notification, subject: str, hop: str, due: float) -> Timer:
    return Timer(
        subject=subject,
        hop=hop,
        tenant=notification.tenant,
        notification=notification.id,
        priority=notification.priority,
        due=due,
    )


def _lines(notification: Notification, facts: Sequence[Fact], notes: Sequence[Note], now: float) -> Sequence[Line]:
    told = [_fact_line(notification, fact) for fact in facts if not isinstance(fact, Poke)]
    return [*told, *(_note_line(notification, note, now) for note in notes)]


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
        case RejectedFact(detail=detail) if detail:
            return f"try {fact.try_}: {detail}"
        case Receipt():
            return f"reported by {fact.account}"
        case _:
            try_ = getattr(fact, "try_", None)
            return f"try {try_}" if try_ else ""


def _suppression(fact: Fact, change: Change) -> list[Suppression]:
    """What a report, or a refusal at the call, says of the address."""
    row = change.delivery
    if change.suppress is None or row.address is None:
        return []
    source: str = getattr(fact, "account", "") or row.account or ""
    return [
        Suppression(
            tenant=row.tenant,
            channel=row.channel,
            address=row.address.value,
            reason=change.suppress,
            source=source,
            at=fact.at,
        )
    ]
