"""Bring a database to this program's schema.

A one-row query decides whether anything is to be done, because importing Alembic alone costs most of a second: only
an older database needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect

from angarium.database.tables import metadata
from angarium.errors import Incompatible

if TYPE_CHECKING:
    from alembic.config import Config

#: The newest file of `migrations/versions`; a test keeps the two equal.
HEAD = "0001"


def upgrade(engine: Engine) -> None:
    """Create or migrate the schema; nothing when it is current. Raises `Incompatible` for a newer one."""
    found = current(engine)
    if found == HEAD:
        return
    if found is None:
        create(engine)
    elif found > HEAD:
        raise Incompatible(int(found), int(HEAD), "database schema")
    else:
        migrate(engine)


def create(engine: Engine) -> None:
    """A new database gets today's tables at once; a test holds them equal to what all migrations lead to."""
    with engine.begin() as connection:
        metadata.create_all(connection)
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (HEAD,))


def migrate(engine: Engine) -> None:
    """Run every migration that the database has not seen."""
    from alembic import command  # noqa: PLC0415 - costs 0.8 s, and is needed once a schema

    with engine.connect() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def current(engine: Engine) -> str | None:
    """The revision the database is at; None for a new one."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415 - see `migrate`

    config = Config()
    config.set_main_option("script_location", "angarium.database:migrations")
    return config
