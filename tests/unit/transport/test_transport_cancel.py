"""A call that is given up while its connection comes about leaves no socket behind, on either loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest
import uvloop

from angarium.ports.transport import Request
from angarium.transport.http1 import Http1

Run = Callable[[Coroutine[Any, Any, None]], None]


class Silent(asyncio.Protocol):
    """A server that takes connections and says nothing."""

    taken: list[asyncio.Transport]

    def __init__(self, taken: list[asyncio.Transport]) -> None:
        self.taken = taken

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.taken.append(cast("asyncio.Transport", transport))


async def give_up_after(turns: int) -> None:
    """Cancel a call `turns` turns of the loop after it was made, then close the client."""
    taken: list[asyncio.Transport] = []
    server = await asyncio.get_running_loop().create_server(lambda: Silent(taken), "127.0.0.1", 0)
    async with server, asyncio.timeout(5):
        http = Http1()
        port = server.sockets[0].getsockname()[1]
        async with asyncio.TaskGroup() as group:
            call = group.create_task(http.call(Request(url=f"http://127.0.0.1:{port}/")))
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
        await http.close()
        assert not http.pool.open
    await asyncio.sleep(0.01)  # the server's side hears of it
    for transport in taken:
        transport.abort()
    await asyncio.sleep(0)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("turns", range(12))
def test_a_client_closes_whenever_its_call_was_given_up(run: Run, turns: int) -> None:
    run(give_up_after(turns))
