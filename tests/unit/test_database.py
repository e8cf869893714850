"""The database: its schema, its one writer, and what it says when the file is not to be had."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from angarium.database import Connection, migrate, timers
from angarium.database.engine import MEMORY, Database
from angarium.database.tables import metadata
from angarium.errors import Incompatible, Misconfigured
from angarium.model.reasons import Priority
from angarium.model.timeline import Timer


def timer(hop: str, due: float) -> Timer:
    return Timer(subject="dlv_1", hop=hop, tenant="default", notification="ntf_1", priority=Priority.normal, due=due)


def test_the_migrations_end_at_the_tables() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        migrate.migrate(engine)
        assert migrate.current(engine) == migrate.HEAD
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_new_database_is_what_the_migrations_lead_to() -> None:
    schemas = []
    for make in (migrate.create, migrate.migrate):
        engine = create_engine("sqlite://")
        make(engine)
        with engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT type, name, tbl_name FROM sqlite_master").all()
        schemas.append(sorted(tuple(row) for row in rows))
    assert schemas[0] == schemas[1]


def test_the_newest_migration_is_the_one_the_program_asks_for() -> None:
    versions = Path(migrate.__file__).parent / "migrations" / "versions"
    assert max(path.name for path in versions.glob("0*.py")).startswith(migrate.HEAD)


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    async with Database(url) as database:
        await database.write(lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Incompatible, match="upgrade"):
        async with Database(url):
            pass


async def test_a_second_process_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    async with Database(url):
        with pytest.raises(Misconfigured, match="another process"):
            async with Database(url):
                pass


async def test_a_failed_write_leaves_nothing() -> None:
    def half(connection: Connection) -> None:
        timers.save(connection, [timer("a", 1.0)])
        raise ValueError("halfway")

    async with Database(MEMORY) as database:
        with pytest.raises(ValueError, match="halfway"):
            await database.write(half)
        assert await database.read(timers.next_due) is None


async def test_a_leased_timer_is_not_given_out_again_until_its_lease_ends() -> None:
    async with Database(MEMORY) as database:
        await database.write(timers.save, [timer("a", 1.0)])
        [leased] = await database.write(timers.lease, 2.0, 10.0, 100)
        assert (leased.hop, leased.notification) == ("a", "ntf_1")
        assert await database.write(timers.lease, 3.0, 10.0, 100) == []
        assert await database.read(timers.next_due) == 12.0
        assert len(await database.write(timers.lease, 12.0, 10.0, 100)) == 1


async def test_a_timer_that_was_set_again_survives_the_deletion_of_its_lease() -> None:
    async with Database(MEMORY) as database:
        await database.write(timers.save, [timer("a", 1.0)])
        [leased] = await database.write(timers.lease, 2.0, 10.0, 100)
        await database.write(timers.save, [timer("a", 50.0)])
        await database.write(timers.delete, [(leased.id, leased.lease)])
        assert await database.read(timers.next_due) == 50.0


async def test_a_published_timer_is_gone() -> None:
    async with Database(MEMORY) as database:
        await database.write(timers.save, [timer("a", 1.0)])
        [leased] = await database.write(timers.lease, 2.0, 10.0, 100)
        await database.write(timers.delete, [(leased.id, leased.lease)])
        assert await database.read(timers.next_due) is None
