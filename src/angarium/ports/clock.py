"""Time is handed in, so that tests need no sleep."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Both in seconds."""

    def now(self) -> float:
        """Unix time. It may be set, back too: compare it only with times of the same store."""
        ...

    def elapsed(self) -> float:
        """A clock that never steps and goes on while the machine sleeps: for leases we hold."""
        ...
