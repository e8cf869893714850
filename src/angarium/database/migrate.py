"""Bring a database to this program's schema.

A one-row query decides whether anything is to be done, because importing Alembic alone costs most of a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect

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
    if found is not None and found > HEAD:
        raise Incompatible(int(found), int(HEAD), "database schema")
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
    from alembic.config import Config  # noqa: PLC0415 - see `upgrade`

    config = Config()
    config.set_main_option("script_location", "angarium.database:migrations")
    return config
