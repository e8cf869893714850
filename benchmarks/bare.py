"""`python -m benchmarks.bare`: an HTTP server like ours that does nothing, to hold ours against."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvloop

from angarium.app import serving

HEAD = {"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]}
BODY = {"type": "http.response.body", "body": b""}


async def application(_scope: Any, receive: Any, send: Any) -> None:
    """Read it all, keep nothing, accept."""
    while (await receive()).get("more_body", False):
        pass
    await send(HEAD)
    await send(BODY)


async def serve() -> None:
    """Until the process is ended. The first line of output is the URL."""
    opened = serving.bind("127.0.0.1:0", "listen")
    async with serving.serve(application, opened):
        sys.stdout.write(f"{serving.url(opened)}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve())
