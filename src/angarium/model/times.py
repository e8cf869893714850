"""Times are Unix seconds inside and RFC 3339 with `Z` outside."""

from __future__ import annotations

from datetime import UTC, datetime


def text(seconds: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds(text: str) -> float:
    """Unix seconds of an RFC 3339 time. Raises `ValueError`, also for a time without an offset."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("the time has no offset")
    return time.timestamp()
