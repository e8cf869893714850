"""`python -m angarium.sandbox`: the stand-ins alone, until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from angarium.errors import AngariumError, Invalid
from angarium.sandbox.credentials import credentials
from angarium.sandbox.service import Sandbox, serve
from angarium.transport.http1 import Http1


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The three things that a lone sandbox needs to know."""
    parser = argparse.ArgumentParser(prog="python -m angarium.sandbox", description="Stand-ins for delivery services.")
    parser.add_argument("--listen", default="127.0.0.1:8090", metavar="HOST:PORT", help="default: %(default)s")
    parser.add_argument(
        "--data", default="data", type=Path, metavar="DIRECTORY", help="keys and journal; default: %(default)s"
    )
    public = "where callbacks go: the public URL of Angarium; default: %(default)s"
    parser.add_argument("--public-url", default="http://127.0.0.1:8080", metavar="URL", help=public)
    return parser.parse_args(argv)


def address(text: str) -> tuple[str, int]:
    """`host:port` or `[ipv6]:port`. Raises `Invalid`."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise Invalid("--listen", "this is no address", "write host:port, for example 127.0.0.1:8090")
    return host.strip("[]"), int(port)


async def run(options: argparse.Namespace) -> None:
    """Serve until a signal comes."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    host, port = address(options.listen)
    async with Http1() as transport:
        sandbox = Sandbox(options.data, credentials(options.data), public_url=options.public_url, transport=transport)
        async with serve(sandbox, host, port) as url:
            sys.stderr.write(f"the sandbox listens on {url}/\n")
            sys.stderr.flush()
            await stop.wait()


def main(argv: Sequence[str]) -> int:
    """The exit code: 0 after a signal, 1 when it could not start."""
    with contextlib.suppress(KeyboardInterrupt):
        try:
            uvloop.run(run(arguments(argv)))
        except AngariumError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
