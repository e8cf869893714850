"""How large is what people install?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from benchmarks import processes
from benchmarks.figures import Figure, Size
from benchmarks.machine import ROOT


def measure(_size: Size) -> Sequence[Figure]:
    """One figure: the wheel as it is uploaded, without what it depends on."""
    with processes.workplace() as place:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        [built] = place.glob("*.whl")
        return [
            Figure("wheel.size", built.stat().st_size / 1024, "KiB", "built from the work tree, without dependencies")
        ]
