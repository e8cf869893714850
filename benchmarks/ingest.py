"""How many events a second does one server take, each of them on the disk before its 202?

Once while the pipeline works on what came in, which is what a burst meets, and once with events that nobody wants.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import load, processes, project
from benchmarks.figures import Figure, Size
from benchmarks.load import Load

CONNECTIONS, BATCH = load.CONNECTIONS, 100
LATENCY = 0.02


def measure(size: Size) -> Sequence[Figure]:
    """Four figures: one event in a request or a hundred, wanted or not."""
    return [
        *_figures("", project.TAKEN, "the pipeline sends meanwhile", size.load_seconds),
        *_figures(".alone", project.IGNORED, "no workflow is on them", size.load_seconds),
    ]


def _figures(suffix: str, kind: str, what: str, seconds: float) -> list[Figure]:
    with processes.standing_in(LATENCY) as service, processes.workplace() as place:
        project.write(place, service.url)
        with processes.serving(place) as server:
            single = load.run(server.url, server.key, Load(seconds=seconds, kind=kind))
            server.settle()
            batch = load.run(server.url, server.key, Load(seconds=seconds, kind=kind, batch=BATCH))
    how = f"{CONNECTIONS} connections, %s in a request, on the disk before the 202; {what}"
    return [
        Figure(f"ingest.single{suffix}", single.rate, "events/s", how % "one"),
        Figure(f"ingest.batch{suffix}", batch.rate, "events/s", how % BATCH),
    ]
