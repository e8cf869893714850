"""`python -m benchmarks.stand_in`: SendGrid's one endpoint, which takes everything after a while. Nothing is written.

The sandbox is not used because it flushes each call to the disk that the server under test is measured on.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from itertools import count

import msgspec
import uvloop
from msgspec import Struct

from angarium.ports.transport import Response
from angarium.sandbox.server import Incoming, Reply, listening


class Ids(Struct, frozen=True):
    """Ours, as they travel."""

    delivery_id: str


class Person(Struct, frozen=True):
    """One entry of `personalizations`."""

    custom_args: Ids


class Mail(Struct, frozen=True):
    """The part of a request that is looked at."""

    personalizations: tuple[Person]


class Service:
    """Answers `POST` with 202 after `latency` seconds; `GET /count` and `GET /calls` tell what came."""

    def __init__(self, latency: float) -> None:
        self._latency, self._calls, self._numbers = latency, list[tuple[str, float]](), count(1)
        self._decode = msgspec.json.Decoder(Mail).decode

    def handle(self, incoming: Incoming, reply: Reply) -> None:
        """One request. The time is taken first."""
        at = time.time()
        match incoming.method, incoming.path:
            case "GET", "/count":
                reply.send(Response(status=200, body=str(len(self._calls)).encode()))
            case "GET", "/calls":
                reply.send(Response(status=200, body=msgspec.json.encode(self._calls)))
            case _:
                self._calls.append((self._decode(incoming.body).personalizations[0].custom_args.delivery_id, at))
                taken = Response(status=202, headers={"x-message-id": f"taken-{next(self._numbers)}"})
                asyncio.get_running_loop().call_later(self._latency, reply.send, taken)


async def serve(latency: float) -> None:
    """Until the process is ended. The first line of output is the URL."""
    async with listening(Service(latency).handle, "127.0.0.1", 0) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stand_in")
    parser.add_argument("--latency", type=float, default=0.02, metavar="SECONDS")
    uvloop.run(serve(parser.parse_args().latency))
