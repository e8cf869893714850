"""What a scrape asks the ledger: how much is unknown, parked and unfinished."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import Connection

from angarium.database import timers

_COUNT = "SELECT status, count(*) FROM deliveries WHERE status IN ('unknown', 'parked') GROUP BY status"
_OLDEST = "SELECT accepted FROM notifications WHERE status = 'running' ORDER BY deadline LIMIT 1"


class Pulse(Struct, frozen=True):
    """Counts of deliveries, and ages in seconds."""

    unknown: int
    parked: int
    oldest_unfinished: float
    oldest_due_timer: float


def pulse(connection: Connection, now: float) -> Pulse:
    """One look; `now` is Unix seconds."""
    counts = {row[0]: row[1] for row in connection.exec_driver_sql(_COUNT)}
    oldest = connection.exec_driver_sql(_OLDEST).scalar()
    age = max(0.0, now - oldest) if oldest is not None else 0.0
    return Pulse(counts.get("unknown", 0), counts.get("parked", 0), age, timers.oldest_due(connection, now))
