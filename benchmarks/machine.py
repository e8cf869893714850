"""On what it was measured, and the file of what was measured before."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks.figures import Figure

ROOT = Path(__file__).parent.parent
HISTORY = Path(__file__).with_name("history.jsonl")


class Machine(Struct, frozen=True):
    """What the figures depend on. `files` is the kind of file system that the stores lie on."""

    cores: int
    cpu: str
    python: str
    files: str


class Entry(Struct, frozen=True):
    """One run of the benchmarks. `commit` ends with "+" when the work tree had changes.

    `busy` is how many processes wanted a core in the minute before: on a machine that is not ours alone, figures are
    those of its neighbours too.
    """

    at: str
    commit: str
    small: bool
    busy: float
    machine: Machine
    figures: tuple[Figure, ...]


def machine() -> Machine:
    """This one."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        cpu=_cpu(Path("/proc/cpuinfo").read_text()),
        python=platform.python_version(),
        files=_file_system(Path(tempfile.gettempdir()).resolve(), Path("/proc/mounts").read_text()),
    )


def described(found: Machine) -> str:
    """In one line."""
    return f"{found.cores} cores of {found.cpu}, Python {found.python}, stores on {found.files}"


def busy() -> float:
    """Processes that wanted a core, on average of the last minute (proc(5), loadavg)."""
    return round(os.getloadavg()[0], 2)


def record(small: bool, before: float, figures: Sequence[Figure], path: Path = HISTORY) -> None:
    """Append what was measured; `before` is how busy the machine was without us."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    entry = Entry(at, _commit(), small, before, machine(), tuple(figures))
    with path.open("ab") as history:
        history.write(msgspec.json.encode(entry) + b"\n")


def recorded(small: bool, path: Path = HISTORY) -> Mapping[str, float]:
    """By name what was last recorded on a machine like this one and with the same size; nothing else compares."""
    entries = [msgspec.json.decode(text, type=Entry) for text in _lines(path)]
    here = machine()
    alike = [entry for entry in entries if (entry.small, entry.machine) == (small, here)]
    return {figure.name: figure.value for entry in alike for figure in entry.figures}


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines() if path.exists() else []


def _cpu(info: str) -> str:
    """The model that Linux tells (proc(5)), or else the architecture."""
    named = [text.partition(":")[2].strip() for text in info.splitlines() if text.startswith("model name")]
    return named[0] if named else platform.machine()


def _file_system(place: Path, mounts: str) -> str:
    """The type of the innermost mount that holds `place` (proc(5): device, mount point, type, ...)."""
    found = [text.split()[1:3] for text in mounts.splitlines()]
    holding = [(len(point), kind) for point, kind in found if place.is_relative_to(point)]
    return max(holding)[1] if holding else "unknown"


def _commit() -> str:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return "unknown"

    def told(*words: str) -> str:
        return subprocess.run([git, *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    return told("rev-parse", "--short=12", "HEAD") + ("+" if told("status", "--porcelain", "-uno") else "")
