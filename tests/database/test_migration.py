"""Migrations on a real server: there and back, several nodes at once, and what the catalogue says afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from catalogue import CONSTRAINTS, INDEXES, RUNTIME_RIGHTS
from databases import empty_database
from structlog.testing import capture_logs

from idp.database import migration
from idp.database.servers import Servers, credentials
from idp.domain.errors import StoreUnavailable
from idp.embedded import EmbeddedStores, StoreUrls

RUNTIME = "idp_app"


@pytest.fixture
async def empty(embedded: EmbeddedStores, urls: StoreUrls) -> AsyncIterator[StoreUrls]:
    async with empty_database(embedded, urls) as found:
        yield found


async def connected(url: str) -> asyncpg.Connection:
    return await asyncpg.connect(**credentials(url))


async def test_the_catalogue_is_what_the_tables_promise(world: object, urls: StoreUrls) -> None:
    """Tortoise drops some constraints of new tables in silence."""
    connection = await connected(urls.migration)
    constraints = await connection.fetch(
        """SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) AS line FROM pg_constraint
        WHERE connamespace IN ('public'::regnamespace, 'audit'::regnamespace) AND contype <> 'n'
        AND conrelid <> 'tortoise_migrations'::regclass"""
    )
    indexes = await connection.fetch(
        "SELECT indexdef AS line FROM pg_indexes WHERE schemaname IN ('public', 'audit') AND tablename <> 'tortoise_migrations'"
    )
    await connection.close()

    assert sorted(row["line"] for row in constraints) == sorted(CONSTRAINTS)
    assert sorted(row["line"] for row in indexes) == sorted(INDEXES)


async def test_the_runtime_role_has_the_rights_it_needs_and_no_others(urls: StoreUrls) -> None:
    connection = await connected(urls.migration)
    rows = await connection.fetch(
        """SELECT table_schema || '.' || table_name AS relation, string_agg(privilege_type, ' ' ORDER BY privilege_type) AS rights
        FROM information_schema.role_table_grants WHERE grantee = $1 GROUP BY 1""",
        RUNTIME,
    )
    await connection.close()

    assert {row["relation"]: row["rights"] for row in rows} == RUNTIME_RIGHTS


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit.events SET name = 'x'",
        "DELETE FROM audit.events",
        "TRUNCATE audit.events",
        "CREATE TABLE public.x (i int)",
        "CREATE TEMP TABLE x (i int)",
        "ALTER TABLE users ADD COLUMN x int",
        "DROP TABLE sessions",
        "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ('idp', 'x', now())",
        "SET ROLE idp_owner",
    ],
)
async def test_the_runtime_role_cannot(urls: StoreUrls, statement: str) -> None:
    """SC4."""
    connection = await connected(urls.database)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_up_down_and_up_again_leave_the_same_tables(empty: StoreUrls) -> None:
    """SC8."""
    applied = await migration.migrate(empty.migration, RUNTIME)
    first = await tables(empty)
    await migration.downgrade(empty.migration, None)
    without = await tables(empty)
    again = await migration.migrate(empty.migration, RUNTIME)

    assert applied == again == migration.known_steps()
    assert without == {"tortoise_migrations"}
    assert await tables(empty) == first


async def tables(urls: StoreUrls) -> set[str]:
    connection = await connected(urls.migration)
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname IN ('public', 'audit')")
    await connection.close()
    return {row["tablename"] for row in rows}


async def test_of_three_nodes_that_migrate_at_once_one_applies_each_step(empty: StoreUrls) -> None:
    """SC8."""
    nodes = [await asyncio.create_subprocess_exec(*migrating(empty), stdout=asyncio.subprocess.PIPE) for _ in range(3)]
    answers = [(await node.communicate())[0].decode().split() for node in nodes]

    assert [node.returncode for node in nodes] == [0, 0, 0]
    assert sorted(answers, key=len) == [[], [], migration.known_steps()]
    connection = await connected(empty.migration)
    assert await connection.fetchval("SELECT count(*) FROM tortoise_migrations") == len(migration.known_steps())
    await connection.close()


def migrating(urls: StoreUrls) -> list[str]:
    import sys

    program = (
        "import asyncio, sys; from idp.database.migration import migrate; "
        "print(*asyncio.run(migrate(sys.argv[1], sys.argv[2])))"
    )
    return [sys.executable, "-c", program, urls.migration, RUNTIME]


async def test_the_models_and_the_migrations_agree(empty: StoreUrls) -> None:
    """What `makemigrations` would still find."""
    from tortoise.context import TortoiseContext
    from tortoise.migrations.autodetector import MigrationAutodetector

    from idp.database.postgres import tortoise_config

    config = tortoise_config(Servers(empty.migration), 1)
    config["apps"]["idp"]["migrations"] = migration.package()
    async with TortoiseContext() as context:
        await context.init(config=config)
        detector = MigrationAutodetector(context.apps, config["apps"])
        found = await detector.changes()

    assert [operation for writer in found for operation in getattr(writer, "operations", [writer])] == []


async def test_status_names_the_steps_that_are_missing(empty: StoreUrls) -> None:
    before = await migration.status(empty.migration)
    await migration.migrate(empty.migration, RUNTIME)
    after = await migration.status(empty.database)

    assert not any(step.applied for step in before)
    assert all(step.applied for step in after)


async def test_a_database_that_is_not_there_is_unavailable(urls: StoreUrls) -> None:
    with pytest.raises(StoreUnavailable):
        await migration.status(urls.database.replace("/idp?", "/nothing?"))


async def test_a_step_gives_way_to_a_long_transaction_and_comes_back(
    empty: StoreUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes after it goes on: what waits behind a waiting change waits for both otherwise."""
    monkeypatch.setattr(migration, "STEP_LOCK_WAIT", "50ms")
    monkeypatch.setattr(migration, "STEP_PAUSE", 0.05)
    await migration.migrate(empty.migration, RUNTIME)
    *_, before, last = migration.known_steps()
    await migration.downgrade(empty.migration, before)
    holder, other = await connected(empty.migration), await connected(empty.database)
    async with asyncio.timeout(60):
        async with holder.transaction():
            await holder.execute("LOCK TABLE users, clients, consents IN ACCESS SHARE MODE")
            with capture_logs() as lines:
                running = asyncio.create_task(migration.migrate(empty.migration, RUNTIME))
                while len(lines) < 2:
                    assert await other.fetchval("SELECT count(*) FROM users, clients") == 0
            assert not running.done()
        applied = await running
    await holder.close()
    await other.close()

    assert applied == [last]
    assert {line["event"] for line in lines} == {"migration_gave_way"}


async def test_a_release_leaves_alone_what_a_newer_one_has_brought_further(empty: StoreUrls) -> None:
    await migration.migrate(empty.migration, RUNTIME)
    connection = await connected(empty.migration)
    await connection.execute(
        "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ('idp', '9999_of_tomorrow', now())"
    )
    await connection.close()

    assert await migration.migrate(empty.migration, RUNTIME) == []
    assert all(step.applied for step in await migration.status(empty.database))
    with pytest.raises(migration.NewerSchema, match="9999_of_tomorrow"):
        await migration.downgrade(empty.migration, None)
