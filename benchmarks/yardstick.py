"""What could this machine do at best? One flush after another, and the same load on a server that only accepts."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from benchmarks import ingest, load, processes
from benchmarks.figures import Figure, Size
from benchmarks.load import Load

PAGE = b"\0" * 4096


def measure(size: Size) -> Sequence[Figure]:
    """Two figures to hold the others against."""
    with processes.telling_url("benchmarks.bare") as url:
        came = load.run(url, "", Load(seconds=size.load_seconds))
    answers = f"{ingest.CONNECTIONS} connections, the server reads each request of `ingest.single` and answers 202"
    return [
        Figure(
            "yardstick.flush", _flushes(size.load_seconds / 5), "fsyncs/s", "4 KiB appended each, one after another"
        ),
        Figure("yardstick.answer", came.rate, "answers/s", answers),
    ]


def _flushes(seconds: float) -> float:
    """How often a second a page can be appended to a file and is on the disk."""
    with processes.workplace() as place, (place / "flushed").open("wb", buffering=0) as file:
        done, begin = 0, time.perf_counter()
        while (passed := time.perf_counter() - begin) < seconds:
            file.write(PAGE)
            os.fsync(file.fileno())
            done += 1
        return done / passed
