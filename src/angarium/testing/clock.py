"""A clock that stands still until it is told."""

from __future__ import annotations


class FakeClock:
    """A `Clock` for tests. `start` is Unix seconds."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        """Unix seconds, as last set."""
        return self._now

    def elapsed(self) -> float:
        """The same: it never steps back."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds
