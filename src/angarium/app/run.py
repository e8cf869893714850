"""One process that does everything: its stores, then all that is built on them, until a signal comes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from angarium.app import serving
from angarium.app.clock import SystemClock
from angarium.app.compose import Running, Site, start
from angarium.app.stores import opened
from angarium.app.watchdog import Watchdog
from angarium.config.secret import secret
from angarium.config.sources import load as load_settings
from angarium.database import releases, timers
from angarium.errors import Misconfigured
from angarium.project import load, read
from angarium.telemetry import logs


@asynccontextmanager
async def running(
    project: Path, flags: Mapping[str, Any], environ: Mapping[str, str] = os.environ
) -> AsyncIterator[Running]:
    """Everything, started in order and stopped in the reverse; raises `AngariumError` when it cannot start."""
    settings = load_settings(project, environ, flags).settings
    handler = logs.configure(settings.log.level, settings.log.format, sys.stderr, secret(settings))
    release = load(read(project))
    if not release.workflows:
        mend = "no workflows/*.toml is there: run in a project's directory, or try `angarium demo`"
        raise Misconfigured("project", str(project), mend)
    async with AsyncExitStack() as stack:
        stack.callback(logs.release, handler)
        await stack.enter_async_context(Watchdog())
        site = Site(
            settings,
            stack.enter_context(serving.bind(settings.listen, "listen")),
            stack.enter_context(serving.bind(settings.admin, "admin")),
        )
        clock = SystemClock()
        stores = await stack.enter_async_context(opened(settings, clock))
        await stores.database.write(releases.save, release.id, release.files, clock.now())
        await stores.database.write(timers.release_all)
        yield await start(stack, site, stores, clock, release, environ)


def run(project: Path, flags: Mapping[str, Any], started: Callable[[Running], None] = lambda _: None) -> int:
    """Serve until SIGINT or SIGTERM, then drain; the exit code. `started` is told once everything runs."""
    uvloop.run(_until_signal(project, flags, started))
    return 0


async def _until_signal(project: Path, flags: Mapping[str, Any], started: Callable[[Running], None]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(project, flags) as served:
        started(served)
        await stop.wait()
