"""Durations as people write them: `10m`, `1d`, `250ms`, `1h30m`."""

from __future__ import annotations

import re
from typing import Any

from angarium.errors import Invalid

#: Seconds, largest unit first: that is also the order in which they are written.
UNITS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
MEND = 'write it as "10m", "1h30m" or "250ms"; units are w, d, h, m, s and ms'
#: A year is longer than any obligation is kept.
LONGEST = 366 * UNITS["d"]

_WHOLE = re.compile("".join(rf"(?:(?P<{unit}>[0-9]{{1,9}}(?:\.[0-9]{{1,6}})?){unit})?" for unit in UNITS))


def duration(value: Any, where: str) -> float:
    """Seconds. Zero is a duration, a bare number is none. Raises `Invalid` at `where`."""
    if not isinstance(value, str):
        raise Invalid(where, "is not a duration", MEND)
    found = _WHOLE.fullmatch(value.strip())
    if not found or not value.strip():
        raise Invalid(where, "is not a duration", MEND)
    seconds = sum(float(amount) * UNITS[unit] for unit, amount in found.groupdict().items() if amount)
    if seconds > LONGEST:
        raise Invalid(where, "is longer than a year", "shorten it")
    return seconds
