"""What `explain` tells, as far as it is shown here; anything more that a newer server tells is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from angarium.client.answers import SERVER
from angarium.errors import Unavailable

T = TypeVar("T")
#: Statuses of a delivery by what they mean to somebody who waits.
OPEN = frozenset({"planned", "waiting", "sending", "unknown"})
BAD = frozenset({"failed", "expired", "cancelled", "parked"})
GOOD = frozenset({"delivered", "seen", "read", "acknowledged"})
#: Outcomes of an event after which nothing is sent.
NOTHING = frozenset({"unmatched", "dead"})
RUNNING = "running"


class Entry(Struct, frozen=True):
    """A line of a timeline; `at` is RFC 3339."""

    at: str
    kind: str
    reason: str | None = None
    detail: str = ""


class Decision(Struct, frozen=True):
    """One channel of one step, in a sentence."""

    step: str
    sentence: str
    channel: str | None = None
    status: str | None = None
    delivery: str | None = None
    tries: int = 0


class Notification(Struct, frozen=True):
    """One person's part of a run."""

    id: str
    user: str
    workflow: str
    status: str
    sentence: str = ""
    category: str = ""
    started: str = ""
    decisions: tuple[Decision, ...] = ()
    timeline: tuple[Entry, ...] = ()


class Run(Struct, frozen=True):
    """One workflow that an event started."""

    workflow: str
    recipients: int = 0
    reason: str | None = None
    sentence: str = ""


class Event(Struct, frozen=True):
    """An event; `outcome` None says that nothing is known of it yet."""

    id: str
    sentence: str
    type: str | None = None
    outcome: str | None = None
    runs: tuple[Run, ...] = ()


class Explanation(Struct, frozen=True):
    """The whole answer."""

    events: tuple[Event, ...] = ()
    notifications: tuple[Notification, ...] = ()
    more: bool = False

    @property
    def decisions(self) -> list[Decision]:
        """Those of all notifications."""
        return [decision for one in self.notifications for decision in one.decisions]


def explanation(found: Mapping[str, Any]) -> Explanation:
    """What the server explained, read. Raises `Unavailable`."""
    return readable(found, Explanation)


def readable(found: Mapping[str, Any], kind: type[T]) -> T:
    """The answer of a server as a struct. Raises `Unavailable` for one that is something else."""
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError:
        raise Unavailable(SERVER, "its answer cannot be read: is it of another version?") from None


def settled(told: Explanation) -> bool:
    """Whether nothing will follow, save receipts."""
    if not told.events or any(event.outcome is None for event in told.events):
        return False
    named = sum(run.recipients for event in told.events for run in event.runs)
    if named > len(told.notifications) and not told.more:
        return False
    moving = any(one.status == RUNNING for one in told.notifications)
    return not moving and not any(decision.status in OPEN for decision in told.decisions)


def succeeded(told: Explanation) -> bool:
    """Whether it was for somebody, and no delivery ended badly."""
    wanted = not any(event.outcome in NOTHING for event in told.events)
    return wanted and not any(decision.status in BAD for decision in told.decisions)
