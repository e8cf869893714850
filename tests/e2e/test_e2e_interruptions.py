"""The server is killed, or asked to stop, while it works: nothing is lost, and only what was in flight is repeated."""

from __future__ import annotations

import random
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import pytest

from tests.e2e import books
from tests.e2e.books import Figures
from tests.e2e.interruptions import (
    ACCOUNTS,
    CONCURRENCY,
    EVENTS,
    Site,
    first_calls,
    interrupted,
    killed_while_starting,
    unexplained,
)
from tests.e2e.server import Server

#: Seconds from a start to its first call, when there is work: what we promise is 2, a crowded machine gets more.
GENEROUS = 4.0
#: Seconds that a stop may take.
DRAIN = 20.0


@pytest.fixture
def site(children: ExitStack, tmp_path: Path) -> Site:
    """The server runs, and its stand-ins take their time."""
    made = Site(children, tmp_path)
    made.server.start()
    return made


def kill(server: Server) -> None:
    """As a crash."""
    server.child.kill()


def terminate(server: Server) -> None:
    """As a deploy."""
    assert server.child.stop(DRAIN) == 0


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=[pytest.mark.chaos, pytest.mark.timeout(600)])])
def test_killed_at_random_moments_it_loses_nothing_and_repeats_only_what_was_in_flight(
    kills: int, site: Site, record_property: Figures
) -> None:
    events = site.load(EVENTS * kills, seed=kills)
    interruptions = interrupted(site, kills, random.Random(kills), kill)
    site.settle()
    calls = site.stand_ins.calls()
    seen = books.settle(site.server, events, calls)
    firsts = first_calls(interruptions, calls)

    assert books.repeats(seen) <= CONCURRENCY * len(ACCOUNTS) * kills
    assert not unexplained(interruptions, calls)
    assert firsts, "no kill found work left: make more of it"
    assert median(firsts) < GENEROUS
    record_property(f"repeated calls after {kills} kills, of {len(calls)}", books.repeats(seen))
    figures = " ".join(f"{first:.2f}" for first in firsts)
    record_property("s from a start to its first call", figures)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.chaos)])
def test_killed_again_and_again_while_it_starts_it_still_loses_nothing(kills: int, site: Site) -> None:
    events = site.load(EVENTS, seed=200)
    site.server.child.kill()
    killed_while_starting(site, kills, random.Random(200))
    site.server.start()
    site.settle()

    seen = books.settle(site.server, events, site.stand_ins.calls())
    assert books.repeats(seen) <= CONCURRENCY * len(ACCOUNTS) * (kills + 1)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("stops", [3, pytest.param(20, marks=[pytest.mark.chaos, pytest.mark.timeout(600)])])
def test_asked_to_stop_under_load_it_ends_in_time_and_neither_loses_nor_repeats(
    stops: int, site: Site, record_property: Figures
) -> None:
    events = site.load(EVENTS * stops, seed=100 + stops)
    interruptions = interrupted(site, stops, random.Random(100 + stops), terminate)
    site.server.at_rest(120)
    calls = site.stand_ins.calls()
    seen = books.settle(site.server, events, calls)

    assert books.repeats(seen) == 0
    assert first_calls(interruptions, calls), "no stop found work left: make more of it"
    record_property("s that a stop took, the longest", round(max(one.started - one.at for one in interruptions), 2))
