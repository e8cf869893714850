"""Time is handed in, so that tests need no sleep."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Wall-clock time. Monotonic time stays inside `transport`."""

    def now(self) -> float:
        """Unix seconds."""
        ...
