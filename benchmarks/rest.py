"""What does a server cost that has nothing to do: how soon is it there, and how much memory does it hold?

The project is the packaged one of the demonstration, with three accounts and the sandbox in the same process.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from importlib.resources import as_file, files
from statistics import median

from msgspec import Struct

from benchmarks import processes
from benchmarks.figures import Figure, Size

FLAGS = ("--sandbox-listen", "127.0.0.1:0", "--log-level", "warning")
WHAT = "the demonstration's project, sandbox included"


class Start(Struct, frozen=True):
    """Seconds until a server was ready the first time and the second time, and the bytes it held after idling."""

    cold: float
    warm: float
    memory: int


def measure(size: Size) -> Sequence[Figure]:
    """Three figures: start without and with a database, and memory after some seconds."""
    starts = [_starts(size.idle_seconds) for _ in range(size.repeats)]
    cold, warm = median([start.cold for start in starts]), median([start.warm for start in starts])
    memory = median([float(start.memory) for start in starts]) / 2**20
    count = f"; median of {size.repeats}" if size.repeats > 1 else ""
    return [
        Figure("start.cold", cold, "s", f"from the command to /readyz, no database yet; {WHAT}{count}"),
        Figure("start.warm", warm, "s", f"the same with a database{count}"),
        Figure("idle.memory", memory, "MiB", f"resident {size.idle_seconds:.0f} s after the start; {WHAT}{count}"),
    ]


def _starts(idle: float) -> Start:
    with processes.workplace() as place:
        with as_file(files("angarium.sandbox") / "demo") as demo:
            shutil.copytree(demo, place, dirs_exist_ok=True)
        with processes.serving(place, *FLAGS) as first:
            pass
        with processes.serving(place, *FLAGS) as second:
            time.sleep(idle)
            return Start(first.ready, second.ready, second.resident())
