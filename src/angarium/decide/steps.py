"""What next for one notification: walk its plan from where it stands, as far as nothing is left to wait for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from angarium.decide import choose, gate, lifecycle, patience
from angarium.decide.choose import Accounts
from angarium.decide.facts import hand_over
from angarium.decide.gate import Permissions
from angarium.decide.lifecycle import Move
from angarium.errors import Invalid
from angarium.expressions import Expressions
from angarium.model.delivery import Delivery
from angarium.model.ids import delivery_id, digest
from angarium.model.notification import Notification
from angarium.model.reasons import Progress, Reason, Status
from angarium.model.user import Address, Person
from angarium.model.workflow import Delay, FirstOf, Plan, Send, Step, Stop

#: Seconds after which an open notification is looked at again, whatever happened.
LOOK_AGAIN = 900.0


class World(Struct, frozen=True):
    """What the decision may know. `context` is what expressions see; `people` are the recipients of steps with `to`."""

    person: Person
    people: Mapping[str, Person]
    accounts: Accounts
    permissions: Permissions
    expressions: Expressions
    context: Mapping[str, Any]
    cancelled: Reason | None
    now: float


class Note(Struct, frozen=True):
    """A line of the timeline about something that was decided. `fact` makes a repetition the same line."""

    fact: str
    kind: str
    reason: Reason | None = None
    detail: str = ""
    delivery: str | None = None


class Decision(Struct, frozen=True):
    """What to save and to hand over. `timers` are (subject, hop, due); `changed` holds new and changed deliveries."""

    notification: Notification
    changed: Mapping[str, Delivery]
    handovers: tuple[str, ...]
    timers: tuple[tuple[str, str, float], ...]
    notes: tuple[Note, ...]


def evaluate(
    notification: Notification,
    plan: Plan,
    deliveries: Mapping[str, Delivery],
    hops: frozenset[str],
    touched: frozenset[str],
    world: World,
) -> Decision:
    """Decide once. `hops` came due, `touched` deliveries changed, both in this very batch.

    A hop only wakes: what is stored says whether its moment has come. One that was on its way when its timer was moved
    is set again.
    """
    walk = _Walk(notification, plan, deliveries, hops, touched, world)
    walk.go()
    return walk.decision()


class _Walk:
    """One evaluation's working memory; it lives as long as the call."""

    def __init__(
        self,
        notification: Notification,
        plan: Plan,
        deliveries: Mapping[str, Delivery],
        hops: frozenset[str],
        touched: frozenset[str],
        world: World,
    ) -> None:
        self.notification, self.plan, self.hops, self.touched, self.world = notification, plan, hops, touched, world
        self.rows = dict(deliveries)
        self.changed: dict[str, Delivery] = {}
        self.handovers: list[str] = []
        self.timers: list[tuple[str, str, float]] = []
        self.notes: list[Note] = []
        self.step, self.due = notification.step, notification.due
        self.status, self.reason = notification.status, notification.reason

    def decision(self) -> Decision:
        ended = self.status is not Progress.running
        notification = msgspec.structs.replace(
            self.notification,
            step=self.step,
            due=self.due,
            status=self.status,
            reason=self.reason,
            ended=(self.notification.ended or self.world.now) if ended else None,
            deadline=self.notification.deadline if ended else self.world.now + LOOK_AGAIN,
        )
        return Decision(notification, self.changed, tuple(self.handovers), tuple(self.timers), tuple(self.notes))

    def go(self) -> None:
        if self.status is not Progress.running:
            return
        self.sweep()
        if self.world.cancelled is not None:
            self.end(Progress.cancelled, self.world.cancelled)
        elif self.plan.until and any(lifecycle.reached(row, self.plan.until) for row in self.rows.values()):
            self.end(Progress.done, Reason.reached)
        else:
            self.walk()

    def walk(self) -> None:
        while self.step < len(self.plan.steps):
            path, step = str(self.step), self.plan.steps[self.step]
            if self.entering(path) and not self.condition(path, step):
                self.step += 1
            elif not self.perform(path, step):
                return
            else:
                self.step, self.due = self.step + 1, None
        if all(lifecycle.terminal(row) for row in self.rows.values()):
            self.finish()

    def finish(self) -> None:
        """Done, unless nobody was reached because the time was over."""
        rows = self.rows.values()
        reached = any(self.arrived(row) for row in rows)
        if self.reason is None and not reached and any(patience.ran_out(row, self.world.now) for row in rows):
            self.status, self.reason = Progress.expired, Reason.expired
        else:
            self.status = Progress.done

    def arrived(self, row: Delivery) -> bool:
        """It did what its step asked for, as far as anybody can know."""
        step = self.plan.steps[int(row.step)]
        if isinstance(step, FirstOf):
            return self.satisfied(row, step)
        return row.status is Status.parked or lifecycle.reached(row, Status.sent)

    def perform(self, path: str, step: Step) -> bool:
        """Do a step; whether it is over."""
        match step:
            case Send():
                for channel in step.channels:
                    for person in self.recipients(step):
                        self.plan_slot(path, channel, channel, step, person)
                return True
            case FirstOf():
                return self.first_of(path, step)
            case Delay():
                return self.delay(path, step)
            case Stop():
                self.reason = Reason.stopped
                self.note(path, "stopped", Reason.stopped, step.reason)
                self.step = len(self.plan.steps)
                return True

    def delay(self, path: str, step: Delay) -> bool:
        hop = f"delay:{path}"
        if self.due is None:
            self.due = self.world.now + step.seconds
            self.wake(hop, self.due)
            return False
        return self.has_come(hop, self.due)

    def first_of(self, path: str, step: FirstOf) -> bool:
        """Everybody falls back by themselves; the step is over when it is over for each."""
        over = [self.fall_back(path, step, person) for person in self.recipients(step)]
        return all(over)

    def fall_back(self, path: str, step: FirstOf, person: Person) -> bool:
        for number, channel in enumerate(step.channels):
            rows = self.slot(path, number, person) or self.open_slot(path, number, channel, step, person)
            if any(self.satisfied(row, step) for row in rows):
                self.supersede(path, person, rows)
                return True
            if self.slot(path, number + 1, person) or all(lifecycle.failed(row) for row in rows):
                continue
            hop = _silence(path, number, step, person)
            if not self.has_come(hop, self.listen(hop, rows, step)):
                return False
            self.cancel(rows, Reason.superseded)
            self.note(hop, "silence", None, f"{channel} was silent")
        return True

    def open_slot(self, path: str, number: int, channel: str, step: FirstOf, person: Person) -> list[Delivery]:
        self.plan_slot(path, str(number), channel, step, person)
        rows = self.slot(path, number, person)
        if step.within is not None and not all(lifecycle.terminal(row) for row in rows):
            self.wake(_silence(path, number, step, person), self.world.now + step.within * patience.QUEUED)
        return rows

    def satisfied(self, row: Delivery, step: FirstOf) -> bool:
        """Reached: `until` where the service tells so much, else `sent`. A parked one waits for a person."""
        if row.status is Status.parked:
            return True
        until = step.until or (Status.delivered if step.within is not None else Status.sent)
        if until is Status.delivered and not self.world.accounts.reports(row.channel, row.account):
            until = Status.sent
        return lifecycle.reached(row, until)

    def listen(self, hop: str, rows: Iterable[Delivery], step: FirstOf) -> float:
        """Until when a slot is waited for. Silence counts from the moment the service has it, or may have it."""
        heard = {row.id for row in rows if row.id in self.touched and patience.taken(row)}
        if step.within is None or not heard:
            return patience.ends(rows, step.within)
        for row in rows:
            if row.id in heard and row.status is Status.unknown:
                self.keep(msgspec.structs.replace(row, deadline=self.world.now + step.within))
        moment = patience.ends([self.rows[row.id] for row in rows], step.within)
        self.wake(hop, moment)
        return moment

    def wake(self, hop: str, moment: float) -> None:
        self.timers.append((self.notification.id, hop, moment))

    def has_come(self, hop: str, moment: float) -> bool:
        """By what is stored. A hop that came too early is set again."""
        come = patience.has_come(moment, self.world.now)
        if hop in self.hops and not come and math.isfinite(moment):
            self.wake(hop, moment)
        return come

    def slot(self, path: str, number: int, person: Person) -> list[Delivery]:
        prefix = str(number)
        return [row for row in self.of(path, person) if row.slot.partition(":")[0] == prefix]

    def of(self, path: str, person: Person) -> list[Delivery]:
        return [row for row in self.rows.values() if row.step == path and row.user == person.id]

    def supersede(self, path: str, person: Person, winners: list[Delivery]) -> None:
        kept = {row.id for row in winners}
        self.cancel([row for row in self.of(path, person) if row.id not in kept], Reason.superseded)

    def plan_slot(self, path: str, slot: str, channel: str, step: Send | FirstOf, person: Person) -> None:
        prefix = slot if step.to is None else f"{slot}:{person.id}"
        places = choose.slots(person, channel)
        if not places:
            self.add(self.draft(path, prefix, channel, person, None), choose.missing(channel))
        for suffix, address in places:
            refused = gate.refusal(self.plan.category, address, person.id, self.world.permissions)
            self.add(self.draft(path, prefix + suffix, channel, person, address), refused)

    def recipients(self, step: Send | FirstOf) -> list[Person]:
        if step.to is None:
            return [self.world.person]
        return [self.world.people[entry["id"]] for entry in step.to]

    def expiry(self, path: str) -> float:
        """One for the whole step: from the event on, or from the end of the delay before it."""
        begun = [row.expires for row in self.rows.values() if row.step == path]
        if begun:
            return min(begun)
        delayed = any(isinstance(step, Delay) for step in self.plan.steps[: int(path)])
        return (self.world.now if delayed else self.notification.accepted) + self.plan.category.expires

    def draft(self, path: str, slot: str, channel: str, person: Person, address: Address | None) -> Delivery:
        n = self.notification
        return Delivery(
            id=delivery_id(n.id, path, slot),
            tenant=n.tenant,
            notification=n.id,
            run=n.run,
            user=person.id,
            step=path,
            slot=slot,
            channel=channel,
            address=address,
            expires=self.expiry(path),
            created=self.world.now,
        )

    def add(self, draft: Delivery, refused: Reason | None) -> None:
        if draft.id in self.rows:
            return
        if refused is not None:
            row = self.moved(draft, Status.skipped, refused)
        elif not self.world.accounts.order(draft.channel):
            row = self.moved(draft, Status.failed, Reason.unavailable)
        elif self.world.now >= draft.expires:
            row = self.moved(draft, Status.expired, Reason.expired)
        else:
            row = hand_over(draft, 1, self.world.now)
            self.handovers.append(row.id)
        self.keep(row)

    def sweep(self) -> None:
        """End what is open although its time is over; see to what was handed over long ago and never answered."""
        for row in list(self.rows.values()):
            if patience.overdue(row, self.world.now):
                self.keep(self.moved(row, Status.expired, Reason.expired))
            elif row.status is Status.sending and (row.deadline or 0.0) <= self.world.now:
                self.ask_again(row)

    def ask_again(self, row: Delivery) -> None:
        """Publish it again: the claim says whether it was called. A channel without an account has no Sender to ask."""
        if not self.world.accounts.order(row.channel):
            self.keep(self.moved(row, Status.failed, Reason.unavailable))
            return
        later = self.world.now + 2 * (self.world.now - row.created)
        self.keep(msgspec.structs.replace(row, deadline=later))
        self.handovers.append(row.id)

    def end(self, status: Progress, reason: Reason) -> None:
        word = Reason.reached if reason is Reason.reached else Reason.cancelled
        self.cancel(self.rows.values(), word)
        self.status, self.reason = status, reason
        self.note(status.value, status.value, reason)

    def cancel(self, rows: Iterable[Delivery], reason: Reason) -> None:
        for row in list(rows):
            if lifecycle.stands(row)[0] == 0:
                self.keep(self.moved(row, Status.cancelled, reason))

    def moved(self, row: Delivery, status: Status, reason: Reason) -> Delivery:
        return lifecycle.advance(row, Move(status=status, try_=row.try_, reason=reason), self.world.now)

    def keep(self, row: Delivery) -> None:
        self.rows[row.id] = self.changed[row.id] = row

    def entering(self, path: str) -> bool:
        return self.due is None and not any(row.step == path for row in self.rows.values())

    def condition(self, path: str, step: Step) -> bool:
        if step.when is None:
            return True
        try:
            if self.world.expressions.evaluate(step.when, self.context()):
                return True
            detail = "its condition is false"
        except Invalid as error:
            detail = f"its condition cannot be decided: {error.problem}"
        self.note(path, "step", Reason.condition_false, f"step {step.name or path} was passed over, {detail}")
        return False

    def context(self) -> dict[str, Any]:
        """What the steps so far came to, by name or index: their status is the best of their deliveries."""
        steps: dict[str, dict[str, str]] = {}
        for index, step in enumerate(self.plan.steps):
            rows = [row for row in self.rows.values() if row.step == str(index)]
            best = max(rows, key=lifecycle.stands, default=None)
            steps[step.name or str(index)] = {"status": best.status.value if best else "planned"}
        return {**self.world.context, "steps": steps}

    def note(self, path: str, kind: str, reason: Reason | None, detail: str = "") -> None:
        self.notes.append(Note(digest(kind, path), kind, reason, detail))


def _silence(path: str, number: int, step: FirstOf, person: Person) -> str:
    """The hop that ends a slot; where a step names its people, each has their own."""
    return f"silence:{path}:{number}" + ("" if step.to is None else f":{person.id}")
