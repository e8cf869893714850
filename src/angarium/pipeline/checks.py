"""What the audit holds against what is stored. Pure: rows in, suspicions out."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from angarium.database.audit import Counted, Kept, Named, Part
from angarium.decide import lifecycle
from angarium.model.ids import digest
from angarium.model.reasons import Progress, Status
from angarium.model.workflow import FirstOf, Plan, Send, Step, Stop

_plan = msgspec.json.Decoder(Plan).decode


class Hole(Struct, frozen=True):
    """What was promised and is not there. `what` is event, run, notification or delivery."""

    what: str
    id: str
    problem: str


class Suspect(Struct, frozen=True):
    """Something that should be there and is not. `what` is event, run, notification or delivery.

    `sure`: nothing under way can mend it. Else it is one when a second look, after all that was under way arrived,
    finds the very same: `mark` changes with every step forward. `owner` is what is to be looked at again.
    """

    what: str
    id: str
    problem: str
    owner: str = ""
    mark: str = ""
    sure: bool = False


def event(counted: Counted) -> Iterator[Suspect]:
    """Events and their runs are stored together."""
    if counted.said != counted.found:
        problem = f"it says that it has {counted.said} runs, and {counted.found} are stored (source {counted.source})"
        yield Suspect("event", counted.id, problem, sure=True)


def run(name: str, said: Named, found: Named) -> Iterator[Suspect]:
    """A run says how many notifications it named, and which: their `started` facts may be under way."""
    if said == found:
        return
    missing = found.count < said.count
    problem = f"it named {said.count} notifications, and {found.count} are in the ledger"
    if found.count == said.count:
        problem = f"it named {said.count} notifications, and the ledger holds others"
    yield Suspect("run", name, problem, name, sure=not missing)


def notification(kept: Kept) -> Iterator[Suspect]:
    """Every step that is over has its deliveries, and whatever is open will be moved by something."""
    plan = _plan(kept.plan)
    yield from _steps(kept, plan)
    if kept.status is not Progress.running:
        for part in kept.parts:
            if part.open:
                problem = f"its notification is {kept.status}, and it is {part.status}"
                yield Suspect("delivery", part.id, problem, kept.id, sure=True)
        return
    for part in kept.parts:
        if part.open and (problem := _stuck(kept, part)):
            yield Suspect("delivery", part.id, problem, kept.id, str(part.version))
    if problem := _idle(kept, plan):
        yield Suspect("notification", kept.id, problem, kept.id, f"{kept.step} {kept.due}")


def _steps(kept: Kept, plan: Plan) -> Iterator[Suspect]:
    """A step leaves at least one row a channel, or one in all if the first that reaches will do; or a note why not."""
    for index, step in enumerate(plan.steps[: kept.step]):
        if digest("step", str(index)) in kept.noted:
            continue
        if isinstance(step, Stop):
            return
        for channel in _missing(kept, index, step):
            problem = f"step {index} is over, and {channel} has no delivery"
            yield Suspect("notification", kept.id, problem, kept.id, sure=True)


def _missing(kept: Kept, index: int, step: Step) -> list[str]:
    made = {part.slot.partition(":")[0] for part in kept.parts if part.step == str(index)}
    match step:
        case Send():
            return [channel for channel in step.channels if channel not in made]
        case FirstOf():
            return [] if made else ["any of its channels"]
        case _:
            return []


def _stuck(kept: Kept, part: Part) -> str:
    """Why nothing will move an open delivery; empty when something will."""
    match part.status:
        case Status.sending if kept.deadline is not None:
            return ""  # when its notification is looked at again, it is handed over again
        case Status.waiting | Status.unknown if kept.hops.get(part.id):
            return ""
        case _:
            return f"it is {part.status}, and nothing will move it"


def _idle(kept: Kept, plan: Plan) -> str:
    """Why nothing will move a running notification; empty when something will."""
    own = kept.hops.get(kept.id, {})
    if kept.due is not None:
        return "" if f"delay:{kept.step}" in own else "it waits for the end of a delay, and no timer tells it"
    if own or any(part.open for part in kept.parts) or _waits_for_report(kept, plan):
        return ""
    return "it is running, and nothing will move it"


def _waits_for_report(kept: Kept, plan: Plan) -> bool:
    """A `first_of` without `within` waits for its service's word as long as that takes."""
    step = plan.steps[kept.step] if kept.step < len(plan.steps) else None
    if not isinstance(step, FirstOf) or step.within is not None:
        return False
    rows = [part for part in kept.parts if part.step == str(kept.step)]
    return any(lifecycle.standing(part.status, part.try_, part.reason)[0] == 2 for part in rows)
