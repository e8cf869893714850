"""The machine's clocks."""

from __future__ import annotations

import time


class SystemClock:
    """A `Clock` of the real machine."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def elapsed(self) -> float:
        """Seconds since the machine was started, sleep included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)
