"""A loop that stands still is noticed; one that turns is left alone."""

from __future__ import annotations

import asyncio
import threading
import time

from angarium.app.watchdog import Watchdog


async def test_a_loop_that_stands_still_is_ended() -> None:
    ended = threading.Event()
    async with Watchdog(limit=0.05, look=0.01, end=ended.set):
        deadline = time.monotonic() + 10
        while not ended.is_set() and time.monotonic() < deadline:
            time.sleep(0.01)  # noqa: ASYNC251 - standing still is what is tested
    assert ended.is_set()


async def test_a_loop_that_turns_is_left_alone() -> None:
    ended = threading.Event()
    async with Watchdog(limit=0.5, look=0.005, end=ended.set):
        for _ in range(50):
            await asyncio.sleep(0.002)
    assert not ended.is_set()
