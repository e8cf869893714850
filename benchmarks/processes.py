"""Starting, watching and ending the processes that are measured. Linux only: the figures come from /proc."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from angarium.config import local
from benchmarks.figures import Failed

#: Seconds that anything may take which should take a few at most.
PATIENCE = 120.0
#: Seconds between two looks at something that is awaited.
LOOK = 0.005
TICKS = os.sysconf("SC_CLK_TCK")


class Server(Struct, frozen=True):
    """A running `angarium run`. `ready` is the seconds from its start to the first 200 of `/readyz`."""

    pid: int
    url: str
    admin: str
    key: str
    spawned: float
    ready: float

    def cpu(self) -> float:
        """Seconds of processor time so far, all threads, user and system (proc(5): fields 14 and 15)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident(self) -> int:
        """Bytes of memory held."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        [text] = [text for text in status.splitlines() if text.startswith("VmRSS:")]
        return int(text.split()[1]) * 1024

    def lag(self) -> float:
        """Records that some worker has not finished."""
        lines = get(f"{self.admin}/metrics").decode().splitlines()
        return sum(float(text.rpartition(" ")[2]) for text in lines if text.startswith("angarium_lag_records{"))

    def settle(self) -> None:
        """Wait until nothing is left to do: two looks, for a record can pass by the first one from behind."""
        until(lambda: self.lag() == 0 and self.lag() == 0, look=0.1)


class StandIn(Struct, frozen=True):
    """The delivery service of the benchmarks, in a process of its own."""

    url: str

    def count(self) -> int:
        """Calls so far."""
        return int(get(f"{self.url}/count"))

    def calls(self) -> list[tuple[str, float]]:
        """Of each call the delivery's id and when it came, in Unix seconds."""
        return msgspec.json.decode(get(f"{self.url}/calls"), type=list[tuple[str, float]])


@contextmanager
def workplace() -> Iterator[Path]:
    """A directory for one measurement. The environment's TMPDIR says on which disk."""
    with tempfile.TemporaryDirectory(prefix="angarium-bench-") as name:
        yield Path(name)


@contextmanager
def telling_url(module: str, *flags: str) -> Iterator[str]:
    """A server of ours in a process of its own, `python -m module`, that prints its URL when it listens."""
    with _child([sys.executable, "-m", module, *flags], os.environ, subprocess.PIPE) as process:
        if process.stdout is None or not (url := process.stdout.readline().decode().strip()):
            raise Failed(f"{module} did not start")
        yield url


@contextmanager
def standing_in(latency: float) -> Iterator[StandIn]:
    """A service that takes every call, and answers `latency` seconds after it came."""
    with telling_url("benchmarks.stand_in", "--latency", str(latency)) as url:
        yield StandIn(url)


@contextmanager
def serving(project: Path, *flags: str) -> Iterator[Server]:
    """`angarium run` on the project, ready; its log is `server.log` there. Ends by SIGTERM."""
    listen, admin = _free_ports(2)
    environ = {name: text for name, text in os.environ.items() if not name.startswith("ANGARIUM_")}
    environ["XDG_STATE_HOME"] = str(project / "state")
    places = ["--listen", f"127.0.0.1:{listen}", "--admin", f"127.0.0.1:{admin}"]
    arguments = [sys.executable, "-m", "angarium", "run", str(project), *places, *flags]
    with ExitStack() as stack:
        log = stack.enter_context((project / "server.log").open("ab"))
        spawned, started = time.time(), time.perf_counter()
        process = stack.enter_context(_child(arguments, environ, log.fileno()))
        until(lambda: _is_ready(process, f"http://127.0.0.1:{admin}", project / "server.log"))
        ready = time.perf_counter() - started
        until(lambda: local.read(environ) is not None)
        if (word := local.read(environ)) is None:
            raise Failed("the server left no word of where it is")
        yield Server(process.pid, word.url, f"http://127.0.0.1:{admin}", word.key, spawned, ready)
        if process.poll() is not None:
            raise Failed("the server ended while it was measured")


def until(condition: Callable[[], bool], look: float = LOOK) -> None:
    """Wait for it. Raises `Failed` after `PATIENCE`."""
    late = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > late:
            raise Failed(f"what should take seconds was not there after {PATIENCE:.0f}")
        time.sleep(look)


def get(url: str) -> bytes:
    """The body of a 200. Raises `OSError`, or `Failed` for any other answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        if answer.status != 200:
            raise Failed(f"{parts.path} answers {answer.status}")
        return answer.read()
    finally:
        connection.close()


def _is_ready(process: subprocess.Popen[bytes], admin: str, log: Path) -> bool:
    if process.poll() is not None:
        raise Failed(f"the server did not start: {log.read_text()[-2000:]}")
    try:
        get(f"{admin}/readyz")
    except (OSError, http.client.HTTPException, Failed):
        return False
    return True


@contextmanager
def _child(arguments: Sequence[str], environ: Mapping[str, str], out: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the context, by SIGTERM or else by SIGKILL. Its errors go to `out` if that is a file."""
    errors = None if out == subprocess.PIPE else out
    with subprocess.Popen(arguments, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=errors) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on at this moment."""
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in opened:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in opened]
