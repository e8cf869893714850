"""How long after an event was accepted is the delivery service called, under a steady load?"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from benchmarks import load, processes, project
from benchmarks.figures import Failed, Figure, Size, quantile
from benchmarks.load import Load

LATENCY = 0.02
RATE = 200.0
ACCEPTED = """
    SELECT deliveries.id, events.accepted FROM deliveries
    JOIN runs ON runs.id = deliveries.run
    JOIN events ON events.tenant = runs.tenant AND events.source = runs.source AND events.id = runs.event_id
"""


def measure(size: Size) -> Sequence[Figure]:
    """The median and the 99th percentile, over every event but those of warming up."""
    with processes.standing_in(LATENCY) as service, processes.workplace() as place:
        project.write(place, service.url)
        with processes.serving(place) as server:
            came = load.run(server.url, server.key, Load(seconds=size.open_seconds, rate=RATE))
            processes.until(lambda: service.count() >= came.sent, look=0.1)
            server.settle()
            calls = service.calls()
        waits = _waits(_accepted(place), calls, came.sent)
    told = f"{RATE:.0f} events/s open loop for {size.open_seconds:.0f} s, from the stamp of acceptance to the call"
    late = f"the latest request left {1000 * came.late:.0f} ms late"
    return [
        Figure("latency.p50", 1000 * quantile(waits, 0.50), "ms", told),
        Figure("latency.p99", 1000 * quantile(waits, 0.99), "ms", f"the same; {late}"),
    ]


def _waits(accepted: Mapping[str, float], calls: Sequence[tuple[str, float]], sent: int) -> list[float]:
    """Seconds from acceptance to call. Both clocks are this machine's; the stamp is cut to the millisecond."""
    if not len(accepted) == len(calls) == sent or accepted.keys() != dict(calls).keys():
        raise Failed(f"{sent} events were accepted, {len(accepted)} deliveries planned and {len(calls)} calls made")
    begin = min(accepted.values()) + load.WARM_UP
    return [at - accepted[name] for name, at in calls if accepted[name] >= begin]


def _accepted(place: Path) -> dict[str, float]:
    """By delivery, when its event was accepted in Unix seconds."""
    with closing(sqlite3.connect(place / "data" / "angarium.db")) as ledger:
        return dict(ledger.execute(ACCEPTED).fetchall())
