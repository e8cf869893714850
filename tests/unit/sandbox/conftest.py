"""One client for all tests of a module, a fresh sandbox for each, and both loops for the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
import uvloop

from angarium.transport.http1 import Http1
from tests.unit.sandbox.world import OWN_SECRET, World, world


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """They differ in what they hand out as the socket, which a reset needs."""
    loops = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return loops if item.path.name == "test_sandbox_server.py" else {"asyncio": loops["asyncio"]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http() -> AsyncIterator[Http1]:
    async with Http1() as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def it(tmp_path: Path, http: Http1) -> AsyncIterator[World]:
    async with world(tmp_path, http, secrets={"own": OWN_SECRET}) as running:
        yield running
