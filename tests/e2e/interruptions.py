"""A server over stand-ins of their own, which is interrupted while it works; what is measured and what is asserted."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from msgspec import Struct

from angarium.sandbox.journal import Call
from tests.e2e import github
from tests.e2e.processes import free_ports, until
from tests.e2e.projects import GITHUB, USUAL, copied, hurried, wired
from tests.e2e.server import Server
from tests.e2e.stand_ins import StandIns

#: Calls that an account may have in flight, and seconds that a stand-in takes to answer: work for a few seconds.
CONCURRENCY, LATENCY = 8, 0.1
#: Accounts that call stand-ins.
ACCOUNTS = ("sendgrid", "twilio", "webhook")
#: Events that an interruption is sure to find unfinished.
EVENTS = 120


class Interruption(Struct, frozen=True):
    """A stop, and the start after it; Unix seconds."""

    at: float
    started: float


class Site:
    """The example project wired to stand-ins in another process, which survive the server."""

    def __init__(self, children: ExitStack, home: Path) -> None:
        [port] = free_ports(1)
        project = hurried(copied(GITHUB, home / "project", {USUAL: f"127.0.0.1:{port}"}))
        self.server = Server(children, home, project)
        self.stand_ins = StandIns(children, home, port, self.server.url)
        wired(project, self.stand_ins, self.server.url, concurrency=CONCURRENCY, timeout=3)
        for account in ACCOUNTS:
            self.stand_ins.script(account, latency=LATENCY)

    def load(self, count: int, seed: int) -> list[dict[str, Any]]:
        """Hand in `count` events, faster than they can be worked off."""
        events = github.events(count, seed)
        for start in range(0, count, 100):
            self.server.publish(*events[start : start + 100])
        return events

    def settle(self) -> None:
        """Wait until all has come to its end, callbacks that found nobody and come again included."""
        self.server.at_rest(120)
        until(self.stand_ins.reported, 40, "every callback is over", every=0.2)
        self.server.at_rest(30)


def interrupted(site: Site, times: int, dice: random.Random, stop: Callable[[Server], None]) -> list[Interruption]:
    """Stop and start the server `times` times, each after up to most of a second of work."""
    done: list[Interruption] = []
    for _ in range(times):
        time.sleep(dice.uniform(0.05, 0.8))
        at = time.time()
        stop(site.server)
        done.append(Interruption(at, site.server.launch().started))
        site.server.wait()
    return done


def killed_while_starting(site: Site, times: int, dice: random.Random) -> None:
    """Start the server that was killed `times` times, and kill it each time at some moment of its start."""
    for _ in range(times):
        site.server.launch()
        time.sleep(dice.uniform(0.3, 1.3))
        site.server.child.kill()


def first_calls(interruptions: Sequence[Interruption], calls: Sequence[Call]) -> list[float]:
    """Seconds from each start to the first call after it, of the starts that were followed by one."""
    ends = [*[one.at for one in interruptions[1:]], float("inf")]
    firsts = [
        min((call.at for call in calls if one.started < call.at < end), default=None)
        for one, end in zip(interruptions, ends, strict=True)
    ]
    return [first - one.started for one, first in zip(interruptions, firsts, strict=True) if first is not None]


def unexplained(interruptions: Sequence[Interruption], calls: Sequence[Call]) -> list[Call]:
    """Repeated calls whose earlier call was not under way, nor just answered, when the server was stopped."""
    earlier: dict[str, float] = {}
    found: list[Call] = []
    for call in calls:
        before = earlier.get(call.delivery_id)
        if before is not None and not any(one.at - 1.0 - LATENCY <= before <= one.at + 0.1 for one in interruptions):
            found.append(call)
        earlier[call.delivery_id] = call.at
    return found
