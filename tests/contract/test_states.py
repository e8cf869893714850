"""The state suite over the embedded adapters, and what only the file promises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from angarium.errors import Invalid, Misconfigured
from angarium.model.reasons import Reason
from angarium.model.result import Rejected, Sent
from angarium.ports.state import Answer, Ask, Behind, Claim, Done, Go, Release, State
from angarium.sqlite import Inline, connect
from angarium.states import memory, sqlite
from angarium.testing.clock import FakeClock
from angarium.testing.contracts.state import DurableStateContract, Reopen, StateContract, Wipe, claim, counted, token

DAY = 86400.0


class Files:
    """A state over a file that can be closed, lost, and opened again."""

    def __init__(self, path: Path, clock: FakeClock, executor: Executor | None = None) -> None:
        self.path, self.clock, self.executor = path, clock, executor
        self.open = AsyncExitStack()

    async def reopen(self) -> State:
        await self.open.aclose()
        return await self.open.enter_async_context(sqlite.SqliteState(self.path, self.clock, self.executor))

    async def wipe(self) -> State:
        await self.open.aclose()
        for path in self.path.parent.iterdir():
            path.unlink()
        return await self.reopen()


class TestMemory(StateContract):
    @pytest.fixture
    async def state(self, clock: FakeClock) -> AsyncIterator[memory.MemoryState]:
        async with memory.connect("memory://", clock) as state:
            yield state

    @pytest.fixture
    def wipe(self, state: memory.MemoryState) -> Wipe:
        async def wiped() -> State:
            state.wipe()
            return state

        return wiped


class TestSqlite(DurableStateContract):
    @pytest.fixture(params=[None, Inline()], ids=["thread", "inline"])
    async def files(self, clock: FakeClock, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Files]:
        async with (files := Files(tmp_path / "state.db", clock, request.param)).open:
            yield files

    @pytest.fixture
    async def state(self, files: Files) -> State:
        return await files.reopen()

    @pytest.fixture
    def reopen(self, files: Files) -> Reopen:
        return files.reopen

    @pytest.fixture
    def wipe(self, files: Files) -> Wipe:
        return files.wipe


@pytest.fixture
async def files(clock: FakeClock, tmp_path: Path) -> AsyncIterator[Files]:
    async with (files := Files(tmp_path / "state.db", clock)).open:
        yield files


@pytest.fixture(params=["memory", "sqlite"])
async def state(request: pytest.FixtureRequest, clock: FakeClock, files: Files) -> State:
    return memory.MemoryState(clock) if request.param == "memory" else await files.reopen()


async def test_an_earlier_try_stays_behind_a_released_one(state: State) -> None:
    """The record of try 1 may come again: giving back try 2 must not allow a second call for it."""
    held = await token(state, try_=2)
    await state.settle([Release("dlv_1", held)])

    assert await claim(state, try_=1) == Behind(2, None)


async def test_the_answer_of_a_claim_that_a_restored_copy_lost_is_taken(state: State) -> None:
    older = await token(state)
    await state.settle([Answer("dlv_1", 2, older + 7, Sent("SM2"))])

    assert await claim(state, try_=2) == Done(Sent("SM2"), older + 7)
    assert await token(state, try_=3) > older + 7


async def test_tokens_grow_while_the_clock_goes_back(state: State, clock: FakeClock) -> None:
    first = await token(state, try_=1)
    clock.advance(-3600)

    assert await token(state, try_=2) > first


async def test_tokens_grow_while_the_clock_goes_back_over_a_restart(files: Files, clock: FakeClock) -> None:
    first = await token(await files.reopen(), try_=1)
    clock.advance(-3600)

    assert await token(await files.reopen(), try_=2) > first


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
async def test_a_rate_that_is_none_is_refused(state: State, rate: float) -> None:
    with pytest.raises(Invalid, match="rate"):
        await state.take([Ask("sms", 1, rate)])


async def test_no_more_than_the_rate_is_granted_over_a_time_of_asking(state: State, clock: FakeClock) -> None:
    total = 0
    end = clock.now() + 20
    for _ in range(1000):
        grant = (await state.take([Ask("sms", 1, 7.0)]))["sms"]
        total += grant.count
        if not grant.count:
            clock.advance(max(grant.wait, 1e-6))
        if clock.now() >= end:
            break

    assert clock.now() >= end
    assert 7 + 7 * 20 - 1 <= total <= 7 + 7 * 20 + 1


async def test_a_batch_may_hold_thousands(state: State) -> None:
    names = [f"dlv_{number}" for number in range(2000)]
    first = await state.claim([Claim(name, 1, 30.0) for name in names])
    tokens = {name: verdict.token for name, verdict in first.items() if isinstance(verdict, Go)}
    await state.settle([Answer(name, 1, tokens[name], Rejected(Reason.bounced)) for name in names])
    again = await state.claim([Claim(name, 1, 30.0) for name in names])

    assert dict(again) == {name: Done(Rejected(Reason.bounced), tokens[name]) for name in names}


async def test_claims_are_forgotten_a_week_after_their_last_change(files: Files, clock: FakeClock) -> None:
    state = await files.reopen()
    held = await token(state, delivery="old")
    clock.advance(6 * DAY)
    await state.settle([Answer("old", 1, held, Sent("SM1"))])
    clock.advance(6 * DAY)
    assert await claim(state, delivery="old") == Done(Sent("SM1"), held)

    clock.advance(2 * DAY)
    await claim(state, delivery="other")
    assert isinstance(await claim(state, delivery="old"), Go)


async def test_windows_that_nobody_asks_for_again_are_forgotten(files: Files, clock: FakeClock) -> None:
    state = await files.reopen()
    for number in range(50):
        await counted(state, "a", "b", key=f"once {number}", seconds=10.0)
    clock.advance(11)
    await counted(state, "a", key="other", seconds=10.0)
    await files.open.aclose()

    assert rows(files.path, "windows") == 1


async def test_a_file_is_held_by_one_state(files: Files, clock: FakeClock) -> None:
    await files.reopen()
    with pytest.raises(Misconfigured, match=r"state\.db.*another process"):
        async with sqlite.connect(f"sqlite:///{files.path}", clock):
            pass


def rows(path: Path, table: str) -> int:
    connection = connect(path)
    try:
        found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    finally:
        connection.close()
    return found
