"""The embedded file: its lock, its settings, its groups of calls, and what becomes of errors."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

from angarium import sqlite
from angarium.errors import Incompatible, Invalid, Misconfigured, Unavailable
from angarium.sqlite import Connection, File, Inline, Lock

P = ParamSpec("P")
T = TypeVar("T")
SCHEMA = ("CREATE TABLE words (word TEXT NOT NULL UNIQUE)",)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def notes(path: Path) -> Path:
    path.write_bytes(b"these are my notes, not a database" * 1000)
    return path


@pytest.fixture(params=[None, Inline()], ids=["thread", "inline"])
async def file(path: Path, request: pytest.FixtureRequest) -> AsyncIterator[File]:
    async with File(path, "store", SCHEMA, executor=request.param) as opened:
        yield opened


def add(word: str | None) -> Callable[[Connection], str | None]:
    def work(connection: Connection) -> str | None:
        connection.execute("INSERT INTO words VALUES (?)", (word,))
        return word

    return work


def words(connection: Connection) -> list[str]:
    return [word for (word,) in connection.execute("SELECT word FROM words ORDER BY rowid")]


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 4), True),
    ],
)
def test_an_sqlite_that_may_lose_a_commit_takes_the_file_for_itself(
    path: Path, version: tuple[int, ...], safe: bool
) -> None:
    connection = sqlite.driver.connect(path)
    sqlite.pragmas(connection, version)

    assert connection.execute("PRAGMA locking_mode").fetchone()[0] == ("normal" if safe else "exclusive")
    connection.close()


def test_a_connection_is_durable_and_its_file_private(path: Path) -> None:
    connection = sqlite.connect(path)
    settings = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "page_size")
    }
    connection.close()

    assert settings == {"journal_mode": "wal", "synchronous": 2, "page_size": 8192}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_sqlite_that_is_too_old_is_named_with_the_one_that_is_needed(path: Path) -> None:
    connection = sqlite.driver.connect(path)
    with pytest.raises(Misconfigured, match=r"3\.34\.1 is too old: 3\.38\.0"):
        sqlite.pragmas(connection, (3, 34, 1))
    connection.close()


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("sqlite:///broker.db", "broker.db"),
        ("sqlite:///data/a%20b.db", "data/a b.db"),
        ("sqlite:////var/lib/broker.db", "/var/lib/broker.db"),
    ],
)
def test_a_url_names_a_relative_or_an_absolute_file(url: str, found: str) -> None:
    assert sqlite.path_of(url) == Path(found)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite://host/x.db", "sqlite:///x.db?a=1", "file:///x.db"])
def test_a_url_that_names_no_file_is_refused_with_what_to_write(url: str) -> None:
    with pytest.raises(Invalid, match="write sqlite:///relative"):
        sqlite.path_of(url)


def test_a_held_file_is_refused_until_it_is_released(path: Path) -> None:
    first, second = Lock(path), Lock(path)
    first.acquire()
    with pytest.raises(Misconfigured, match=r"store\.db.*another process \(pid \d+\) holds this file"):
        second.acquire()
    first.release()
    first.release()
    second.acquire()
    second.release()


def test_a_killed_holder_holds_nothing(path: Path) -> None:
    program = f"""
from pathlib import Path
from angarium.sqlite import Lock
lock = Lock(Path({str(path)!r}))
lock.acquire()
print("held", flush=True)
input()
"""
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(Misconfigured, match=f"pid {child.pid}"):
            Lock(path).acquire()
        child.kill()
        child.wait()
        free = Lock(path)
        free.acquire()
        free.release()


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("a file")
    with pytest.raises(Misconfigured, match=r"store\.db.*cannot be written"):
        Lock(tmp_path / "plain" / "store.db").acquire()


async def test_folders_are_made_and_what_was_written_is_there_when_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "store.db"
    for word in ("one", "two"):
        async with File(path, "store", SCHEMA) as file:
            await file.run(add(word))
            kept = await file.run(words)

    assert kept == ["one", "two"]


async def test_a_file_of_a_newer_program_is_left_alone(path: Path) -> None:
    async with File(path, "store", SCHEMA, version=7):
        pass
    with pytest.raises(Incompatible, match="store file of version 7"):
        async with File(path, "store", SCHEMA):
            pass
    free = Lock(path)
    free.acquire()  # the refused one holds it no longer
    free.release()


async def test_something_else_than_a_database_is_left_alone(notes: Path) -> None:
    with pytest.raises(Misconfigured, match="is not an SQLite database"):
        async with File(notes, "store", SCHEMA):
            pass

    assert notes.stat().st_size == 34_000  # noqa: ASYNC240


async def test_calls_at_the_same_time_share_a_transaction(file: File) -> None:
    seen: list[str] = []
    await file.run(lambda connection: connection.set_trace_callback(seen.append))
    answers = await asyncio.gather(*(file.run(add(str(number))) for number in range(100)))

    assert answers == [str(number) for number in range(100)]
    assert len([statement for statement in seen if statement == "COMMIT"]) <= 3


async def test_calls_made_while_a_transaction_runs_share_the_next_one(path: Path) -> None:
    seen: list[str] = []
    async with File(path, "store", SCHEMA) as file:
        await file.run(lambda connection: connection.set_trace_callback(seen.append))
        seen.clear()
        first = file.submit(add("first"))
        await asyncio.sleep(0)
        others = [file.submit(add(str(number))) for number in range(50)]
        await asyncio.gather(first, *others)

    assert [statement for statement in seen if statement in ("BEGIN IMMEDIATE", "COMMIT")] == [
        "BEGIN IMMEDIATE",
        "COMMIT",
    ] * 2


async def test_a_failure_is_its_callers_own(file: File) -> None:
    said = ["a", "b", "a", None, "c"]
    answers = await asyncio.gather(*(file.run(add(word)) for word in said), return_exceptions=True)

    assert [answer if isinstance(answer, str) else type(answer) for answer in answers] == [
        "a",
        "b",
        sqlite.driver.IntegrityError,
        sqlite.driver.IntegrityError,
        "c",
    ]
    assert await file.run(words) == ["a", "b", "c"]


async def test_an_error_undoes_what_its_call_wrote(file: File) -> None:
    def twice(connection: Connection) -> None:
        add("x")(connection)
        raise ValueError("second thoughts")

    with pytest.raises(ValueError, match="second thoughts"):
        await file.run(twice)

    assert await file.run(words) == []


async def test_a_caller_who_gives_up_does_not_undo_the_work(file: File) -> None:
    running = asyncio.create_task(file.run(add("kept")))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])

    assert running.cancelled()
    assert await file.run(words) == ["kept"]


async def test_a_full_disk_is_unavailable_and_the_file_goes_on_when_there_is_room(file: File) -> None:
    def allow(pages: int) -> Callable[[Connection], object]:
        return lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()

    await file.run(add("before"))
    await file.run(allow(1))
    too_much = "x" * 1_000_000
    with pytest.raises(Unavailable, match="store is unavailable: database or disk is full"):
        await file.run(add(too_much))
    answers = await asyncio.gather(file.run(add("small")), file.run(add(too_much)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [str, Unavailable]
    await file.run(allow(1000))
    await file.run(add(too_much))

    assert await file.run(words) == ["before", "small", too_much]


class Counting(Inline):
    """An executor that counts the transactions it was given."""

    count = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        self.count += 1
        return super().submit(fn, *args, **kwargs)


@pytest.mark.skipif(not sqlite.fixed(), reason="this SQLite keeps strangers out of the file")
async def test_a_stranger_that_locks_the_file_is_waited_for_once_on_behalf_of_everyone_who_asked(path: Path) -> None:
    executor = Counting()
    async with File(path, "store", SCHEMA, executor=executor) as file:
        await file.run(lambda connection: connection.execute("PRAGMA busy_timeout = 1").fetchone())
        stranger = sqlite.driver.connect(path, isolation_level=None)
        stranger.execute("BEGIN IMMEDIATE")
        before = executor.count
        answers = await asyncio.gather(file.run(add("a")), file.run(add("b")), return_exceptions=True)
        waits = executor.count - before
        stranger.execute("ROLLBACK")
        stranger.close()

        assert [str(answer) for answer in answers] == ["store is unavailable: database is locked"] * 2
        assert waits == 1
        assert await file.run(add("c")) == "c"


async def test_a_closed_file_is_unavailable_and_what_was_asked_before_is_done(path: Path) -> None:
    async with File(path, "store", SCHEMA) as file:
        asked = [file.submit(add(str(number))) for number in range(3)]
    with pytest.raises(Unavailable, match="closed"):
        await file.run(words)

    assert [await answer for answer in asked] == ["0", "1", "2"]


async def test_a_defect_is_not_taken_for_an_unavailable_store(file: File) -> None:
    with pytest.raises(sqlite.driver.OperationalError, match="no such table"):
        await file.run(lambda connection: connection.execute("SELECT * FROM nowhere"))


def test_an_inline_call_carries_its_error_to_whoever_asks() -> None:
    future = Inline().submit(int, "seven")

    assert isinstance(future.exception(), ValueError)
    assert Inline().submit(int, "7").result() == 7
