"""How long does the smallest command take, and the import that every program with our SDK makes?"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.figures import Failed, Figure, Size

TIMED_IMPORT = "import time; begin = time.perf_counter(); import angarium; print(time.perf_counter() - begin)"


def measure(size: Size) -> Sequence[Figure]:
    """Two figures; the first run of each, which fills the caches, does not count."""
    times = 2 * size.repeats + 1
    _version(), _import()
    version = median(_version() for _ in range(times))
    imported = median(_import() for _ in range(times))
    conditions = f"caches warm; median of {times}"
    return [
        Figure("command.version", 1000 * version, "ms", f"`angarium --version`, whole; {conditions}"),
        Figure("command.import", 1000 * imported, "ms", f"`import angarium` alone; {conditions}"),
    ]


def _version() -> float:
    script = Path(sys.executable).with_name("angarium")
    begin = time.perf_counter()
    told = subprocess.run([str(script), "--version"], capture_output=True, check=True).stdout
    seconds = time.perf_counter() - begin
    if not told.startswith(b"angarium "):
        raise Failed("the command did not tell its version")
    return seconds


def _import() -> float:
    return float(subprocess.run([sys.executable, "-c", TIMED_IMPORT], capture_output=True, check=True).stdout)
