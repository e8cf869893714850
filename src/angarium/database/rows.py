"""Set-based reads and writes: one statement a table and batch, built once per shape and dialect.

Names of tables and columns come from `tables`, never from input; values always travel as parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, cast

import msgspec
from sqlalchemy import Connection, Table

Keys = tuple[str, ...]
Found = tuple[Any, ...]


def store(
    connection: Connection, table: Table, columns: Keys, rows: Sequence[tuple[Any, ...]], update: Keys | None = None
) -> None:
    """Insert `rows`. Where the primary key is taken: nothing (`update` None) or those columns are overwritten."""
    if rows:
        connection.exec_driver_sql(_insert(table, columns, update), list(rows))


def change(connection: Connection, table: Table, key: str, columns: Keys, rows: Sequence[tuple[Any, ...]]) -> None:
    """Overwrite `columns` of rows that are there; each of `rows` holds their values, then the key's."""
    if rows:
        sets = ", ".join(f'"{column}" = ?' for column in columns)
        connection.exec_driver_sql(f'UPDATE "{table.name}" SET {sets} WHERE "{key}" = ?', list(rows))  # noqa: S608


def fetch(
    connection: Connection, table: Table, columns: Keys, key: str | Keys, ids: Iterable[str | Keys]
) -> Sequence[Found]:
    """The rows whose column `key` is one of `ids`, in no order. Several columns at once take tuples of values."""
    wanted = msgspec.json.encode(list(ids)).decode()
    if wanted == "[]":
        return ()
    return cast("Sequence[Found]", connection.exec_driver_sql(_select(table, columns, key), (wanted,)).all())


def remove(connection: Connection, table: Table, key: str, ids: Iterable[str]) -> None:
    """Delete the rows whose column `key` is one of `ids`."""
    wanted = msgspec.json.encode(list(ids)).decode()
    if wanted != "[]":
        connection.exec_driver_sql(f'DELETE FROM "{table.name}" WHERE "{key}" {_ANY}', (wanted,))  # noqa: S608


#: A whole list as one parameter, so that the statement's text never changes.
_ANY = "IN (SELECT value FROM json_each(?))"


@lru_cache(256)
def _insert(table: Table, columns: Keys, update: Keys | None) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join("?" * len(columns))
    taken = ", ".join(f'"{column.name}"' for column in table.primary_key)
    sets = ", ".join(f'"{column}" = excluded."{column}"' for column in update or ())
    conflict = f"({taken}) DO UPDATE SET {sets}" if sets else "DO NOTHING"
    return f'INSERT INTO "{table.name}" ({names}) VALUES ({marks}) ON CONFLICT {conflict}'  # noqa: S608


@lru_cache(256)
def _select(table: Table, columns: Keys, key: str | Keys) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    if isinstance(key, str):
        return f'SELECT {names} FROM "{table.name}" WHERE "{key}" {_ANY}'  # noqa: S608
    keys = ", ".join(f'"{column}"' for column in key)
    values = ", ".join(f"json_extract(value, '$[{index}]')" for index in range(len(key)))
    return f'SELECT {names} FROM "{table.name}" WHERE ({keys}) IN (SELECT {values} FROM json_each(?))'  # noqa: S608


def everything(connection: Connection, table: Table, columns: Keys) -> Sequence[Found]:
    """All rows of a table: for tests and small tables."""
    names = ", ".join(f'"{column}"' for column in columns)
    return cast("Sequence[Found]", connection.exec_driver_sql(f'SELECT {names} FROM "{table.name}"').all())  # noqa: S608
