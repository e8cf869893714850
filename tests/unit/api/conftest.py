"""A fresh world for each test, and one a module for those that leave nothing behind."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.unit.api.world import ANNA, World, world


@pytest_asyncio.fixture(loop_scope="module")
async def it() -> AsyncIterator[World]:
    async with world() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def calm() -> AsyncIterator[World]:
    async with world() as made:
        yield made
        assert await made.stored() == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two() -> AsyncIterator[World]:
    """Anna got an alarm, and her welcome waits for its second step."""
    async with world() as made:
        await made.harness.publish("alarm", to=ANNA)
        await made.harness.publish("user.signed_up", to=ANNA)
        yield made
