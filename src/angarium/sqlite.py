"""What the embedded files share: one driver, durable settings, a lock, and one writer that commits calls in groups.

A file is held by one process (`Lock`) and written by one thread (`File`). While a transaction is being written, further
calls gather; the next transaction performs them all, so that they share one flush to the disk.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar
from urllib.parse import unquote, urlsplit

from angarium.errors import Incompatible, Invalid, Misconfigured, Unavailable

if TYPE_CHECKING:
    import sqlite3

    driver = sqlite3
else:
    try:
        from pysqlite3 import dbapi2 as driver
    except ImportError:  # no wheel for this machine: the standard library's, guarded by `fixed`
        import sqlite3 as driver

T = TypeVar("T")
P = ParamSpec("P")
Connection = driver.Connection
Version = tuple[int, ...]
Work = Callable[[Connection], T]

#: Seconds a statement waits for a stranger (a backup, a shell) that has the file locked.
PATIENCE = 5.0
PAGE = 8192
#: The first SQLite with everything the adapters use: RETURNING, and JSON functions built in.
OLDEST: Version = (3, 38, 0)
#: What SQLite says when the disk or a lock is in the way and the same call may succeed later.
PASSING = (
    "database is locked",
    "database table is locked",
    "database or disk is full",
    "disk I/O error",
    "unable to open database file",
    "attempt to write a readonly database",
    "locking protocol",
)


def fixed(version: Version = driver.sqlite_version_info) -> bool:
    """Whether several connections may share a file in WAL mode.

    SQLite 3.7.0 to 3.51.2 can lose a commit there (the "WAL-reset bug" of its release notes); 3.44.6 and 3.50.7 have
    the fix too.
    """
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)


def pragmas(connection: Connection, version: Version = driver.sqlite_version_info) -> None:
    """Make what is committed durable, and reads and writes independent. An unfixed SQLite takes the file for itself.

    Raises `Misconfigured` for an SQLite that is too old.
    """
    if version < OLDEST:
        found, needed = (".".join(map(str, numbers)) for numbers in (version, OLDEST))
        raise Misconfigured("SQLite", "this machine", f"version {found} is too old: {needed} or later is needed")
    if not fixed(version):
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute(f"PRAGMA busy_timeout = {int(PATIENCE * 1000)}")
    connection.execute(f"PRAGMA page_size = {PAGE}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def passing(error: BaseException) -> str | None:
    """What stands in the way if `error` is the driver's and the same call may succeed later, else None."""
    said = str(error)
    return next((words for words in PASSING if words in said), None) if isinstance(error, driver.Error) else None


@contextmanager
def translated(store: str) -> Iterator[None]:
    """The driver's passing errors become `Unavailable`; its other errors are defects and stay as they are."""
    try:
        yield
    except driver.Error as error:
        if detail := passing(error):
            raise Unavailable(store, detail) from error
        raise


def path_of(url: str) -> Path:
    """The file of `sqlite:///relative.db` or `sqlite:////absolute.db`. Raises `Invalid`."""
    parts = urlsplit(url)
    if parts.scheme != "sqlite" or parts.netloc or len(parts.path) < 2 or parts.query or parts.fragment:
        raise Invalid("store URL", "is not a file", "write sqlite:///relative.db or sqlite:////absolute.db")
    return Path(unquote(parts.path[1:]))


class Lock:
    """The right to open a file, as a `flock` on `<file>.lock`. The kernel gives it back when its process dies."""

    def __init__(self, path: Path) -> None:
        self.path, self.beside = path, path.with_name(f"{path.name}.lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Raises `Misconfigured`, naming the file, if it is held already or cannot be written."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.beside, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Misconfigured(str(self.path), "the file system", f"cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            mend = f"another process (pid {holder}) holds this file: stop it, or send your events to it over HTTP"
            raise Misconfigured(str(self.path), str(self.beside), mend) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Idempotent. The lock file stays: deleting it would let two processes hold two files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def connect(path: Path) -> Connection:
    """A connection in autocommit mode with our settings; a new file is readable by its owner only.

    Raises `Unavailable`, or `Misconfigured` if the file is something else than a database.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise Misconfigured(str(path), "the file system", f"cannot be written: {error.strerror}") from error
    with ExitStack() as undo, translated(path.name):
        connection = driver.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
        undo.callback(connection.close)
        try:
            pragmas(connection)
        except driver.DatabaseError as error:
            if "not a database" not in str(error):
                raise
            raise Misconfigured(str(path), "the file system", "is not an SQLite database: move it away") from error
        undo.pop_all()
    return connection


class Inline(Executor):
    """Runs each call at once, on the caller's thread: for tests on virtual time."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """A future that is done when this returns."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # not swallowed: it is raised to whoever awaits the future
            future.set_exception(error)
        return future


class _Shut(Unavailable):
    """The file could not be locked for writing: no call of the group has run."""


class _Call(Generic[T]):
    """One caller's part of a group."""

    __slots__ = ("future", "work")

    def __init__(self, work: Work[T], future: asyncio.Future[T]) -> None:
        self.work, self.future = work, future

    def answer(self, result: T) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class File:
    """An embedded file: locked, opened at `version` of `schema`, written by one thread. An async context manager.

    `name` is what errors call it. `executor` runs the transactions, one at a time; by default it is a thread.
    Entering raises `Misconfigured`, `Incompatible` (a newer program wrote the file) or `Unavailable`.
    """

    def __init__(
        self, path: Path, name: str, schema: Sequence[str], version: int = 1, executor: Executor | None = None
    ) -> None:
        self.path, self.name, self.schema, self.version = path, name, schema, version
        self._lock = Lock(path)
        self._given = executor
        self._queue: list[_Call[Any]] = []
        self._turn: asyncio.Task[None] | None = None
        self._connection: Connection | None = None

    async def __aenter__(self) -> Self:
        self._executor = self._given or ThreadPoolExecutor(1, thread_name_prefix=f"sqlite-{self.name}")
        self._loop = asyncio.get_running_loop()
        self._connection = await self._loop.run_in_executor(self._executor, self._open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What was asked before is still performed."""
        connection, self._connection = self._connection, None
        try:
            if self._turn and not self._turn.done():
                await asyncio.wait([self._turn])
            if connection:
                await self._loop.run_in_executor(self._executor, connection.close)
        finally:
            self._lock.release()
            if not self._given:
                self._executor.shutdown(wait=False)

    async def run(self, work: Work[T]) -> T:
        """Run `work(connection)` in a transaction and return its result once that is committed and on the disk.

        An error of `work` rolls it back and is raised here. `work` may run twice, the first time rolled back, so it
        must have no effect but on the connection. Raises `Unavailable`. A caller that is cancelled gives up the answer,
        not the work.
        """
        return await self.submit(work)

    def submit(self, work: Work[T]) -> asyncio.Future[T]:
        """As `run`, for callers that must learn the result even if they are cancelled: they shield this future."""
        if self._connection is None:
            raise Unavailable(self.name, "it is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.append(_Call(work, future))
        if self._turn is None or self._turn.done():
            self._turn = self._loop.create_task(self._perform(self._connection))
        return future

    async def _perform(self, connection: Connection) -> None:
        """Perform what is asked, and what is asked meanwhile."""
        while self._queue:
            calls, self._queue = self._queue, []
            await self._together(connection, calls)
        self._turn = None

    async def _together(self, connection: Connection, calls: Sequence[_Call[Any]]) -> None:
        """One transaction for all; if that fails, one for each, so that a failure stays with its caller."""
        done = self._loop.run_in_executor(self._executor, self._transaction, connection, [call.work for call in calls])
        await asyncio.wait([done])
        error = done.exception()
        if error is None:
            for call, result in zip(calls, done.result(), strict=True):
                call.answer(result)
        elif len(calls) == 1 or isinstance(error, _Shut):
            for call in calls:
                call.fail(error)
        else:
            for call in calls:
                await self._together(connection, [call])

    def _transaction(self, connection: Connection, works: Sequence[Work[Any]]) -> list[Any]:
        """The results of `works`, all committed or none."""
        try:
            connection.execute("BEGIN IMMEDIATE")
        except driver.Error as error:
            raise _Shut(self.name, passing(error) or str(error)) from error
        with ExitStack() as undo, translated(self.name):
            undo.callback(_roll_back, connection)
            results = [work(connection) for work in works]
            connection.execute("COMMIT")
            undo.pop_all()
        return results

    def _open(self) -> Connection:
        with ExitStack() as undo:
            self._lock.acquire()
            undo.callback(self._lock.release)
            connection = connect(self.path)
            undo.callback(connection.close)
            self._transaction(connection, [self._migrate])
            undo.pop_all()
        return connection

    def _migrate(self, connection: Connection) -> None:
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found > self.version:
            raise Incompatible(found, self.version, f"{self.name} file")
        if found == 0:
            for statement in self.schema:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {self.version}")


def _roll_back(connection: Connection) -> None:
    """After some errors (a full disk) SQLite has rolled back by itself."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")
