"""How many calls each stand-in had, and how many deliveries came more than once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from angarium.sandbox.journal import Call


class Tally:
    """Of one stand-in. Of its `calls` some were `accepted`, some `refused` as bad, some `scripted` to fail unread.

    `distinct` delivery ids were accepted, `repeated` calls carried one that had come before. Of the callbacks,
    `reported` were taken by their receiver and `unreported` given up.
    """

    def __init__(self) -> None:
        self.calls = self.accepted = self.refused = self.scripted = self.repeated = 0
        self.reported = self.unreported = 0
        self._seen: set[str] = set()

    def knows(self, delivery_id: str) -> bool:
        """Has this delivery been accepted before? A call without an id is never a repetition."""
        return delivery_id in self._seen

    def accept(self, call: Call) -> None:
        """Count an accepted call."""
        self.accepted += 1
        self.repeated += call.repeated
        if call.delivery_id:
            self._seen.add(call.delivery_id)

    def tell(self, reports: int, state: Literal["taken", "comes again", "given up"]) -> None:
        """Count callbacks that travelled together."""
        self.reported += reports if state == "taken" else 0
        self.unreported += reports if state == "given up" else 0

    def shown(self) -> dict[str, int]:
        """As `/_counts` tells it."""
        counts = {name: number for name, number in vars(self).items() if isinstance(number, int)}
        return counts | {"distinct": len(self._seen)}


def recall(tallies: dict[str, Tally], calls: Iterable[Call]) -> None:
    """Count what an earlier process accepted: a restart forgets no delivery id."""
    for call in calls:
        if (tally := tallies.get(call.provider)) is not None:
            tally.calls += 1
            tally.accept(call)
