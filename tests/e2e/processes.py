"""Children of a test: each writes into a file, is stopped by its own id, and never outlives the test."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")
#: Below what Linux hands out to outgoing connections, so that no client takes a port while its server restarts.
PORTS = range(20_000, 32_000)
#: Seconds between two looks at what is waited for.
LOOK = 0.02


def until(look: Callable[[], T | None], within: float, what: str, every: float = LOOK) -> T:
    """The first true answer of `look`, asked every so many seconds; fails the test after `within` seconds."""
    deadline = time.monotonic() + within
    while not (found := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {within:g} s in vain until {what}")
        time.sleep(every)
    return found


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on, all different."""
    free: list[int] = []
    while len(free) < count:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if port not in free and probe.connect_ex(("127.0.0.1", port)):
                free.append(port)
    return free


def surroundings(home: Path) -> dict[str, str]:
    """The environment of a child: none of our own settings, and a home of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    state = {"HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
    return {**kept, **state, "NO_COLOR": "1", "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}


class Child:
    """`python -m MODULE ARGUMENTS` in a directory. `started` is Unix seconds."""

    def __init__(self, stack: ExitStack, log: Path, argv: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> None:
        self.log = log
        with log.open("wb") as output:
            self.started = time.time()
            self._process = subprocess.Popen(
                [sys.executable, "-m", *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=dict(environ),
            )
        self.pid = self._process.pid
        stack.callback(self.kill)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, and nothing is left of it when this returns. Harmless when it ended before."""
        if self.running:
            self._process.kill()
        self._process.wait(10)

    def stop(self, within: float, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its exit code. Fails the test when it takes longer than `within` seconds."""
        self._process.send_signal(number)
        return self.ended(within)

    def ended(self, within: float) -> int:
        """Its exit code once it ends by itself."""
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            pytest.fail(f"a process was still there after {within:g} s\n{self.said()[-4000:]}")

    def said(self) -> str:
        """All that it wrote."""
        return self.log.read_text(errors="replace")
