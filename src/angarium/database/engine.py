"""The database: SQLite for one process, other servers by URL. One thread hop and one transaction a call.

There is one writer, on one thread, and one reader beside it: SQLite's own shape. `inline` runs both in the caller's
thread, for tests under virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

from sqlalchemy import Connection, Engine, StaticPool, create_engine
from sqlalchemy.exc import DBAPIError

from angarium import sqlite
from angarium.database import migrate
from angarium.errors import Misconfigured, Unavailable

P = ParamSpec("P")
R = TypeVar("R")

#: A database that lives as long as its process: for tests.
MEMORY = "sqlite://"


class Database:
    """An async context manager: entering takes the file's lock and migrates, leaving closes.

    `url` is `sqlite:///relative.db`, `sqlite:////absolute.db`, or `sqlite://` for one in memory.
    """

    def __init__(self, url: str, *, inline: bool = False) -> None:
        if not url.startswith("sqlite://"):
            raise Misconfigured("database", "settings", "use sqlite:///path.db: other databases are not supported yet")
        self.path = None if url == MEMORY else sqlite.path_of(url)
        self._inline = inline or self.path is None
        self._lock: sqlite.Lock | None = None
        self._writer: Executor | None = None
        self._reader: Executor | None = None
        self._write_engine, self._read_engine = self._engines()

    def _engines(self) -> tuple[Engine, Engine]:
        if self._inline or not sqlite.fixed():
            engine = _engine(self.path)
            return engine, engine
        return _engine(self.path), _engine(self.path)

    async def __aenter__(self) -> Self:
        if self.path is not None:
            self._lock = sqlite.Lock(self.path)
            self._lock.acquire()
        if not self._inline:
            self._writer = ThreadPoolExecutor(1, "database-writer")
            shared = self._read_engine is self._write_engine
            self._reader = self._writer if shared else ThreadPoolExecutor(1, "database-reader")
        await self._hop(self._writer, migrate.upgrade, self._write_engine)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._hop(self._reader, self._read_engine.dispose)
        await self._hop(self._writer, self._write_engine.dispose)
        for executor in {self._reader, self._writer} - {None}:
            cast("Executor", executor).shutdown()
        if self._lock is not None:
            self._lock.release()

    async def write(self, query: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `query(connection, ...)` in one write transaction; an error rolls it back. Raises `Unavailable`."""
        writing = (self._write_engine, "BEGIN IMMEDIATE", "COMMIT")
        return await self._hop(self._writer, _transact, *writing, query, args, kwargs)

    async def read(self, query: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `query(connection, ...)` over one snapshot; it must not write. Raises `Unavailable`."""
        reading = (self._read_engine, "BEGIN", "ROLLBACK")
        return await self._hop(self._reader, _transact, *reading, query, args, kwargs)

    async def _hop(self, executor: Executor | None, call: Callable[..., R], *args: Any) -> R:
        if self._inline:
            return call(*args)
        return await asyncio.get_running_loop().run_in_executor(executor, call, *args)


def _engine(path: Path | None) -> Engine:
    def connect() -> sqlite.Connection:
        if path is not None:
            return sqlite.connect(path)
        return sqlite.driver.connect(":memory:", isolation_level=None, check_same_thread=False)

    return create_engine("sqlite://", module=sqlite.driver, creator=connect, poolclass=StaticPool, hide_parameters=True)


def _transact(engine: Engine, begin: str, end: str, query: Callable[..., R], args: Any, kwargs: Any) -> R:
    with engine.connect() as connection:
        try:
            connection.exec_driver_sql(begin)
            result = query(connection, *args, **kwargs)
            connection.exec_driver_sql(end)
        except DBAPIError as error:
            detail = sqlite.passing(error.orig) if error.orig else None
            if detail is None:
                raise
            raise Unavailable("database", detail) from error
        finally:
            _roll_back(connection)
        return result


def _roll_back(connection: Connection) -> None:
    """Undo what is still open: SQLAlchemy does not know of transactions we begin ourselves."""
    raw: Any = connection.connection.dbapi_connection
    if raw is not None and raw.in_transaction:
        connection.exec_driver_sql("ROLLBACK")
