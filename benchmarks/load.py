"""`python -m benchmarks.load`: posts events over kept connections, as a process of its own, and tells what came of it.

Closed loop: each connection sends its next request when the last one is answered. Open loop (`--rate`): requests leave
by the clock, whether or not earlier ones are answered; one that finds no free connection waits for it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from http import HTTPStatus
from itertools import count
from typing import cast
from urllib.parse import SplitResult, urlsplit

import httptools
import msgspec
import uvloop
from msgspec import Struct

from benchmarks import project
from benchmarks.figures import Failed

#: Seconds before measuring starts.
WARM_UP = 0.5
CONNECTIONS = 32


class Came(Struct, frozen=True):
    """`seconds` of measuring, `events` answered with 202 in them, `sent` all of them with those of warming up.

    `late` is by how many seconds the latest request of an open loop missed its time.
    """

    seconds: float
    events: int
    sent: int
    late: float = 0.0

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


class Load(Struct, frozen=True, kw_only=True):
    """What to send: events of this type, `batch` in a request; without `rate` (events a second) as many as possible."""

    connections: int = CONNECTIONS
    batch: int = 1
    kind: str = project.TAKEN
    seconds: float
    rate: float | None = None


def run(url: str, key: str, load: Load) -> Came:
    """Send it from another process to the server at `url`. Raises `Failed` when anything but 202 came back."""
    wanted = msgspec.json.encode(load).decode()
    child = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", url, wanted],
        env={**os.environ, "ANGARIUM_KEY": key},
        stdout=subprocess.PIPE,
        check=False,
    )
    if child.returncode:
        raise Failed("the load could not be sent")
    return msgspec.json.decode(child.stdout, type=Came)


def requests(place: SplitResult, key: str, load: Load) -> Iterator[bytes]:
    """Whole requests without end; no two events have the same id."""
    head = (
        f"POST /v1/events HTTP/1.1\r\nhost: {place.netloc}\r\nauthorization: Bearer {key}\r\n"
        "content-type: application/json\r\ncontent-length: "
    ).encode()
    name = f"{os.getpid():x}"
    for number in count(step=load.batch):
        events = [project.event(f"{name}-{n}", load.kind, n) for n in range(number, number + load.batch)]
        body = msgspec.json.encode(events if load.batch > 1 else events[0])
        yield head + str(len(body)).encode() + b"\r\n\r\n" + body


class Connection(asyncio.Protocol):
    """Carries one request at a time and tells each status."""

    def __init__(self, told: Callable[[Connection, int], None]) -> None:
        self._told = told
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Some of an answer."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """A whole answer came."""
        self._told(self, self._parser.get_status_code())

    def connection_lost(self, exc: Exception | None) -> None:
        """The server hung up; after the end nobody minds."""
        self._told(self, 0)

    def send(self, data: bytes) -> None:
        """Write a request."""
        self._transport.write(data)

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


class Sending:
    """All connections of one load, and the tally of what came back."""

    def __init__(self, load: Load, ready: Iterator[bytes]) -> None:
        self._load, self._ready = load, ready
        self._loop = asyncio.get_running_loop()
        self._idle, self._overdue = deque[Connection](), deque[float]()
        self._begin = self._loop.time() + WARM_UP
        self._end = self._begin + load.seconds
        self._open = self._in_time = self._sent = 0
        self._sending = True
        self._late = 0.0
        self._ended = asyncio.Event()
        self.refused = Counter[int]()

    async def run(self, place: SplitResult) -> Came:
        """Until the time is over and every request is answered."""
        host, port = place.hostname or "", place.port or 80
        made = [
            (await self._loop.create_connection(lambda: Connection(self._told), host, port))[1]
            for _ in range(self._load.connections)
        ]
        for connection in made:
            self._free(connection)
        if self._load.rate is not None:
            await self._by_the_clock(self._load.rate / self._load.batch)
        await self._ended.wait()
        for connection in made:
            connection.close()
        return Came(self._load.seconds, self._in_time, self._sent, self._late)

    async def _by_the_clock(self, rate: float) -> None:
        start = self._loop.time()
        for number in range(int((self._end - start) * rate)):
            due = start + number / rate
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            if self._idle:
                self._send(self._idle.popleft(), due)
            else:
                self._overdue.append(due)
        self._sending = False
        self._look()

    def _free(self, connection: Connection) -> None:
        """What a connection does that has nothing to wait for."""
        closed = self._load.rate is None
        if closed and self._loop.time() >= self._end:
            self._sending = False
        if self._overdue:
            self._send(connection, self._overdue.popleft())
        elif closed and self._sending:
            self._send(connection, self._loop.time())
        else:
            self._idle.append(connection)
            self._look()

    def _look(self) -> None:
        if not (self._open or self._overdue or self._sending):
            self._ended.set()

    def _send(self, connection: Connection, due: float) -> None:
        connection.send(next(self._ready))
        self._late = max(self._late, self._loop.time() - due)
        self._open += 1

    def _told(self, connection: Connection, status: int) -> None:
        """An answer, or the end of a connection (status 0), which matters only while something is awaited."""
        if self._ended.is_set():
            return
        if status != HTTPStatus.ACCEPTED:
            self.refused[status] += 1
            self._ended.set()
            return
        self._open -= 1
        self._sent += self._load.batch
        if self._begin <= self._loop.time() < self._end:
            self._in_time += self._load.batch
        self._free(connection)


async def main(url: str, key: str, load: Load) -> int:
    """The exit code: 1 when anything was refused."""
    place = urlsplit(url)
    sending = Sending(load, requests(place, key, load))
    came = await sending.run(place)
    if sending.refused:
        sys.stderr.write(f"instead of 202 came {dict(sending.refused)}\n")
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(came))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description="The key is that of ANGARIUM_KEY.")
    parser.add_argument("url")
    parser.add_argument("load", help="what to send, as JSON")
    given = parser.parse_args()
    wanted = msgspec.json.decode(given.load, type=Load)
    sys.exit(uvloop.run(main(given.url, os.environ.get("ANGARIUM_KEY", ""), wanted)))
