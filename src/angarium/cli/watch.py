"""Following an event until all its deliveries are at rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from angarium.cli.stories import NOTHING, Explanation, explanation, settled
from angarium.client.answers import Stored
from angarium.client.sync import Client

#: Seconds between two looks, and those that a receipt may still take after the last service answered.
LOOK, RECEIPT = 0.05, 1.0
#: Channels whose services report what became of a message they took.
REPORTED = frozenset({"email", "sms"})
#: The most notifications of one event that are followed.
MOST = 500


class News(Struct, frozen=True, kw_only=True):
    """Something changed. `ms` counts from the hand-over of the event; `status` is the delivery's, or the outcome."""

    ms: int
    status: str
    sentence: str
    user: str = ""
    workflow: str = ""
    channel: str = ""
    notification: str = ""


class Look(Struct, frozen=True):
    """All that is known at one moment, and what of it is new."""

    told: Explanation
    news: tuple[News, ...]


class Follower:
    """Remembers what was told, so that everything is news once."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, ...]] = set()

    def news(self, told: Explanation, ms: int) -> Iterator[News]:
        """What is new in this look, in the order of the plan."""
        for event in told.events:
            if event.outcome in NOTHING and self._first(event.id, event.outcome or ""):
                yield News(ms=ms, status=event.outcome or "", sentence=event.sentence)
            for run in event.runs:
                if not run.recipients and self._first(event.id, run.workflow):
                    yield News(ms=ms, status=run.reason or "", sentence=run.sentence, workflow=run.workflow)
        for one in told.notifications:
            for decision in one.decisions:
                status, channel = decision.status or "", decision.channel or ""
                slot = decision.delivery or f"{decision.step} {channel}"
                if status and self._first(one.id, slot, status, str(decision.tries)):
                    yield News(
                        ms=ms,
                        status=status,
                        sentence=decision.sentence,
                        user=one.user,
                        workflow=one.workflow,
                        channel=channel,
                        notification=one.id,
                    )

    def _first(self, *parts: str) -> bool:
        if parts in self._seen:
            return False
        self._seen.add(parts)
        return True


def awaits_receipt(told: Explanation) -> bool:
    """Whether a service may still report that a message arrived."""
    return any(decision.status == "sent" and decision.channel in REPORTED for decision in told.decisions)


class Watch(Struct, frozen=True):
    """How to wait: `elapsed` gives seconds, `pause` waits for some, `timeout` is when to give up."""

    elapsed: Callable[[], float]
    pause: Callable[[float], object]
    timeout: float


def follow(client: Client, event: Stored, began: float, how: Watch) -> Iterator[Look]:
    """One look after another, until the event is at rest or the time is up. `began` is by the same `elapsed`."""
    follower, rested = Follower(), None
    while True:
        told = explanation(client.explain(event=event.id, source=event.source, limit=MOST))
        now = how.elapsed()
        yield Look(told, tuple(follower.news(told, round((now - began) * 1000))))
        if settled(told):
            rested = now if rested is None else rested
            if not awaits_receipt(told) or now - rested >= RECEIPT:
                return
        if now - began >= how.timeout:
            return
        how.pause(LOOK)
