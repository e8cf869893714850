"""`angarium demo`: everything at once, on this machine alone, gone when it ends."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections import deque
from contextlib import nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import uvloop
from cyclopts import Parameter
from cyclopts.types import PositiveFloat
from msgspec import Struct
from rich.console import Console
from rich.live import Live
from rich.text import Text

from angarium.app.compose import Running
from angarium.app.run import running
from angarium.cli import account, show
from angarium.cli.stories import explanation, settled
from angarium.cli.watch import Follower, News
from angarium.cli.world import Surroundings, World
from angarium.client.aio import AsyncClient
from angarium.errors import AngariumError
from angarium.sandbox import demo as story
from angarium.transport.http1 import Http1

#: Seconds between two looks, those that what is under way gets at the end, and those for an event to be looked at.
LOOK, DRAIN, FORGET = 0.25, 15.0, 30.0
#: Lines on the screen, and events that are looked at one by one.
ROWS, FOLLOWED = 20, 40
#: Where a server would listen, if nobody does; else any free port.
PORTS = {"listen": 8080, "admin": 8081, "sandbox.listen": 8090}


class Show(Struct, frozen=True):
    """What the parts of a demonstration share. `stop`: no more events; `hurry`: do not wait for those under way."""

    world: World
    console: Console
    client: AsyncClient
    rate: float
    as_json: bool
    stop: asyncio.Event
    hurry: asyncio.Event
    news: deque[News]
    sent: dict[str, float]


def demo(
    *,
    seconds: PositiveFloat | None = None,
    rate: PositiveFloat = 1.0,
    json: Annotated[bool, Parameter(negative="")] = False,
    world: Surroundings,
) -> int:
    """Watch it work: five people, one event a second, nothing leaves this machine. Ctrl-C prints the audit.

    Parameters
    ----------
    seconds
        End by itself after so long.
    rate
        Events a second.
    json
        One JSON document a line, the audit last.
    """
    with TemporaryDirectory(prefix="angarium-demo-") as data:
        return uvloop.run(_demo(Path(data), seconds, rate, world, as_json=json))


async def _demo(data: Path, seconds: float | None, rate: float, world: World, *, as_json: bool) -> int:
    flags: dict[str, Any] = {name: f"127.0.0.1:{free(port)}" for name, port in PORTS.items()}
    flags |= {"data": str(data), "log.level": "error", "log.format": "text"}
    # Settings of a real server have no place here: a demonstration must not send with somebody's credentials.
    environ = {name: value for name, value in world.environ.items() if not name.startswith("ANGARIUM_")}
    async with running(story.project(), flags, environ) as served, Http1() as http:
        client = AsyncClient(http, served.url, served.key)
        shown = Show(
            world, world.console(), client, rate, as_json, asyncio.Event(), asyncio.Event(), deque(maxlen=ROWS), {}
        )
        _take_signals(shown)
        if not as_json:
            _greet(shown.console, served)
        await play(shown, seconds)
        return await audited(shown)


def free(preferred: int) -> int:
    """The port if it can be had on loopback, else 0, which means any."""
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", preferred))
        return preferred
    return 0


def _take_signals(shown: Show) -> None:
    """The first one ends the events, the second one the waiting."""

    def asked() -> None:
        (shown.hurry if shown.stop.is_set() else shown.stop).set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked)


def _greet(console: Console, served: Running) -> None:
    console.print(Text("Angarium demo", "bold"), "- five people, nothing leaves this machine")
    console.print(f"  messages as they would arrive: {served.sandbox}", soft_wrap=True)
    console.print("  why somebody got one, or did not: angarium explain --recipient roxana")
    console.print("  Ctrl-C ends it and prints the audit\n")


async def play(shown: Show, seconds: float | None) -> None:
    """Events go in, decisions come out, until it is enough. Raises the first error of either."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_watch(shown))
            group.create_task(_publish(shown))
            await _until(shown.stop, seconds)
            shown.stop.set()
    except* AngariumError as several:
        raise several.exceptions[0] from None


async def _publish(shown: Show) -> None:
    people, index = story.people(), 0
    while not shown.stop.is_set():
        event = story.event(index, people)
        shown.sent[event["id"]] = shown.world.elapsed()
        await shown.client.publish([event])
        index += 1
        await _until(shown.stop, 1 / shown.rate)


async def _watch(shown: Show) -> None:
    """Look at the events that are not at rest. On a terminal the newest lines stand in a live table."""
    live = (
        Live(console=shown.console, refresh_per_second=8) if shown.console.is_terminal and not shown.as_json else None
    )
    follower = Follower()
    with live or nullcontext():
        while not shown.stop.is_set():
            await look(shown, follower, lines=live is None)
            if live is not None:
                live.update(show.happening(shown.news))
            await _until(shown.stop, LOOK)


async def look(shown: Show, follower: Follower, *, lines: bool) -> None:
    """Ask for every event that is not at rest yet; tell what is new, here if `lines`."""
    for name in list(shown.sent)[-FOLLOWED:]:
        told = explanation(await shown.client.explain(event=name))
        age = shown.world.elapsed() - shown.sent[name]
        for news in follower.news(told, round(age * 1000)):
            shown.news.append(news)
            if shown.as_json:
                shown.world.document(news)
            elif lines:
                shown.console.print(show.line(news), soft_wrap=True)
        if (settled(told) and age > 1) or age > FORGET:
            del shown.sent[name]


async def audited(shown: Show) -> int:
    """Wait a little for what is under way, then count."""
    end = shown.world.elapsed() + DRAIN
    if not shown.as_json:
        shown.console.print("\nFinishing what is under way; Ctrl-C again counts at once.")
    found = await shown.client.audit()
    while not found.get("complete") and not shown.hurry.is_set() and shown.world.elapsed() < end:
        await _until(shown.hurry, LOOK)
        found = await shown.client.audit()
    told = account.audit(found)
    if shown.as_json:
        shown.world.document(found)
    else:
        shown.console.print(account.shown(told))
    return 0 if told.ok else 1


async def _until(event: asyncio.Event, seconds: float | None) -> None:
    """Until the event is set, or for so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
