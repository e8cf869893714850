"""How fast is a backlog sent, and how much processor time does a delivery cost from the stored event to its end?"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from benchmarks import processes, project
from benchmarks.figures import Failed, Figure, Size
from benchmarks.processes import Server, StandIn

LATENCY = 0.02
ENDED = "SELECT count(*), max(ended) FROM notifications WHERE status = 'done'"
SENT = "SELECT count(*) FROM deliveries WHERE status = 'sent' AND try = 1"


class Start(Struct, frozen=True):
    """What a start costs that finds nothing to do: seconds until it is ready, and seconds of processor time."""

    ready: float
    cpu: float


def measure(size: Size) -> Sequence[Figure]:
    """Two figures from one run. What the cheapest of some empty starts costs is measured first and taken off both."""
    with processes.standing_in(LATENCY) as service, processes.workplace() as place:
        project.write(place, service.url)
        starts = [_empty_start(place) for _ in range(size.repeats + 1)]
        project.wait(place, size.backlog)
        with processes.serving(place) as server:
            cpu = _worked_off(server, service, size.backlog) - min(start.cpu for start in starts)
        seconds = _last_end(place, size.backlog) - server.spawned - min(start.ready for start in starts)
    load = f"{size.backlog:,} events waiting, one e-mail each, embedded stores, one process, answers after 20 ms"
    return [
        Figure("pipeline.rate", size.backlog / seconds, "deliveries/s", load),
        Figure("pipeline.cpu", cpu / size.backlog * 1e6, "us/delivery", "of the server's process, in the same run"),
    ]


def _empty_start(place: Path) -> Start:
    with processes.serving(place) as server:
        return Start(server.ready, server.cpu())


def _worked_off(server: Server, service: StandIn, count: int) -> float:
    """Seconds of processor time when nothing is left to do. Raises `Failed` if a call was made twice."""
    processes.until(lambda: service.count() >= count, look=0.05)
    server.settle()
    cpu = server.cpu()
    if (calls := service.count()) != count:
        raise Failed(f"{count} deliveries took {calls} calls")
    return cpu


def _last_end(place: Path, count: int) -> float:
    """When the last notification was done, in Unix seconds, by the ledger. Raises `Failed` if not all were sent."""
    with closing(sqlite3.connect(place / "data" / "angarium.db")) as ledger:
        [[done, last]], [[sent]] = ledger.execute(ENDED).fetchall(), ledger.execute(SENT).fetchall()
    if (done, sent) != (count, count):
        raise Failed(f"of {count} deliveries {sent} were sent at the first try and {done} are done")
    return float(last)
