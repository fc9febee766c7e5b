"""Postgres behind its choke point: what a URL means, and what every fault of the driver becomes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import asyncpg
import pytest
from tortoise import connections, context

from idp.database import postgres as module
from idp.database.postgres import Postgres, answering
from idp.database.servers import credentials
from idp.domain.errors import StoreUnavailable
from idp.embedded import EmbeddedStores
from idp.repositories.operation.probes import DatabaseProbe

Opened = Callable[..., AbstractAsyncContextManager[Postgres]]


# What a URL means.


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://ada:p%40ss@h:6432/idp", {"host": "h", "port": 6432, "user": "ada", "password": "p@ss"}),
        ("postgresql://ada@h/idp", {"host": "h", "port": 5432, "database": "idp", "password": None}),
        ("postgresql://ada@/idp?host=/run/pg&port=6000", {"host": "/run/pg", "port": 6000, "database": "idp"}),
        ("postgresql://h/i%2Fdp?sslmode=verify-full", {"ssl": "verify-full", "database": "i/dp"}),
        ("postgresql://h/idp?statement_cache_size=0", {"statement_cache_size": 0}),
    ],
)
def test_a_url_is_read_as_libpq_reads_it(url: str, expected: dict[str, Any]) -> None:
    assert expected.items() <= credentials(url).items()


# What a fault becomes.


@pytest.fixture
def url(breakable: EmbeddedStores) -> str:
    breakable.start()
    return breakable.superuser_url()


@pytest.fixture
def opened(url: str, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Of its own, beside the one that this process' server has for all tests: Tortoise knows one at a time."""

    @asynccontextmanager
    async def opening(pool: int = 5) -> AsyncIterator[Postgres]:
        monkeypatch.setattr(context, "_global_context", None)
        async with context.TortoiseContext():
            opened = Postgres(url, pool)
            await opened.open()
            try:
                yield opened
            finally:
                await opened.close()

    return opening


async def one(postgres: Postgres) -> int:
    async with postgres.connection() as connection:
        return int(await connection.fetchval("SELECT 1"))


async def read(postgres: Postgres) -> int:
    return int((await postgres.read("SELECT 1 AS one"))[0]["one"])


async def soon(ask: Any, postgres: Postgres) -> int:
    """Each connection of the pool may notice only when it is used that its server has died: one refusal each."""
    for _ in range(4):
        with suppress(StoreUnavailable):
            return int(await ask(postgres))
    return int(await ask(postgres))


both_ways = pytest.mark.parametrize("ask", [one, read], ids=["pool", "reader"])


@both_ways
async def test_a_process_starts_while_its_database_is_down(opened: Opened, breakable: EmbeddedStores, ask: Any) -> None:
    breakable.stop_postgres()
    async with opened() as postgres:
        with pytest.raises(StoreUnavailable):
            await ask(postgres)
        breakable.start_postgres()

        assert await ask(postgres) == 1


@both_ways
async def test_a_killed_server_is_unavailable_and_found_again(
    opened: Opened, breakable: EmbeddedStores, ask: Any
) -> None:
    async with opened() as postgres:
        await asyncio.gather(*(ask(postgres) for _ in range(3 if ask is one else 1)))
        os.kill(breakable.postgres_pid or 0, signal.SIGKILL)
        with pytest.raises(StoreUnavailable):
            while True:
                await ask(postgres)
        while not breakable.restart_dead():
            await asyncio.sleep(0.01)

        assert await soon(ask, postgres) == 1


async def test_the_reader_is_replaced_unnoticed_when_its_connection_was_closed(opened: Opened, url: str) -> None:
    async with opened() as postgres:
        before = (await postgres.read("SELECT pg_backend_pid() AS pid"))[0]["pid"]
        admin = await asyncpg.connect(**credentials(url))
        await admin.execute("SELECT pg_terminate_backend($1, 1000)", before)
        await admin.close()

        assert (await postgres.read("SELECT pg_backend_pid() AS pid"))[0]["pid"] != before


async def test_a_pool_that_is_used_up_is_unavailable_until_one_comes_back(opened: Opened) -> None:
    async with opened(pool=2) as postgres:
        async with postgres.connection():
            with pytest.raises(StoreUnavailable):
                async with postgres.connection(deadline=0.05):
                    pass

        assert await one(postgres) == 1


async def test_a_statement_that_takes_too_long_is_given_up_and_its_connection_not_lost(opened: Opened) -> None:
    async with opened(pool=2) as postgres:
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                async with postgres.connection(deadline=0.05) as connection:
                    await connection.execute("SELECT pg_sleep(60)")

        assert await one(postgres) == 1


async def test_a_database_that_is_read_only_is_unavailable(opened: Opened) -> None:
    """What a primary becomes after a failover."""
    async with opened() as postgres:
        with pytest.raises(StoreUnavailable):
            async with postgres.connection() as connection:
                await connection.execute("BEGIN READ ONLY; CREATE TABLE never (id int)")


@pytest.mark.parametrize("first", [one, read], ids=["pool", "reader"])
async def test_a_server_that_stops_taking_writes_is_left_and_not_even_read_from(
    opened: Opened, url: str, first: Any
) -> None:
    """Another one was promoted, and what this one tells grows old: an open connection must not go on with it."""
    admin = await asyncpg.connect(**credentials(url))

    async def writes(mode: str) -> None:
        await admin.execute("SET default_transaction_read_only = off")
        await admin.execute(f"ALTER SYSTEM SET default_transaction_read_only = {mode}")
        await admin.execute("SELECT pg_reload_conf()")

    async with opened() as postgres:
        assert [await one(postgres), await read(postgres)] == [1, 1]
        await writes("on")
        try:
            async with asyncio.timeout(10):
                with pytest.raises(StoreUnavailable):
                    while True:  # until the server has read its configuration
                        await first(postgres)
            for ask in (one, read):
                with pytest.raises(StoreUnavailable):
                    await ask(postgres)
        finally:
            await writes("off")
        async with asyncio.timeout(10):
            while True:
                with suppress(StoreUnavailable):
                    answers = [await one(postgres), await read(postgres)]
                    break
                await asyncio.sleep(0.01)
        assert answers == [1, 1]
    await admin.close()


async def test_readiness_notices_a_server_that_takes_no_writes_though_nobody_tells(
    opened: Opened, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pooler may keep what its server tells unasked to itself."""
    monkeypatch.setattr(module, "takes_writes", lambda _: True)
    admin = await asyncpg.connect(**credentials(url))
    await admin.execute("ALTER ROLE CURRENT_USER SET default_transaction_read_only = on")
    try:
        async with opened() as postgres:
            with pytest.raises(StoreUnavailable, match="ReadOnly"):
                await DatabaseProbe(postgres).check()
    finally:
        await admin.execute("SET default_transaction_read_only = off")
        await admin.execute("ALTER ROLE CURRENT_USER RESET default_transaction_read_only")
        await admin.close()


@pytest.mark.parametrize("through_tortoise", [False, True])
async def test_a_fault_of_ours_is_not_taken_for_an_outage(opened: Opened, through_tortoise: bool) -> None:
    async with opened() as postgres:
        with pytest.raises(Exception, match="syntax error") as fault:
            async with answering(), postgres.connection() as connection:
                if through_tortoise:
                    await connections.get("default").execute_query("SELEC 1")
                await connection.execute("SELEC 1")

        assert not isinstance(fault.value, StoreUnavailable)


async def test_a_refusal_inside_a_transaction_undoes_it(opened: Opened) -> None:
    async with opened() as postgres:
        with pytest.raises(LookupError):
            async with postgres.transaction() as connection:
                await connection.execute("CREATE TABLE undone (id int)")
                raise LookupError

        async with postgres.connection() as connection:
            assert await connection.fetchval("SELECT to_regclass('undone')") is None


async def test_what_says_unavailable_holds_no_address_and_no_password(
    opened: Opened, breakable: EmbeddedStores
) -> None:
    breakable.stop_postgres()
    async with opened() as postgres:
        with pytest.raises(StoreUnavailable) as fault:
            await one(postgres)

    text = f"{fault.value} {fault.value.reason} {fault.value.detail}"
    known = credentials(breakable.superuser_url())
    assert not any(str(known[secret]) in text for secret in ("host", "password"))


async def test_a_storm_while_the_database_dies_keeps_no_task_and_no_connection(
    opened: Opened, breakable: EmbeddedStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEADLINE", 2.0)
    async with opened(pool=5) as postgres:
        await asyncio.gather(*(one(postgres) for _ in range(20)))
        tasks = len(asyncio.all_tasks())
        for _ in range(3):
            storm = asyncio.gather(*(one(postgres) for _ in range(300)), return_exceptions=True)
            await asyncio.sleep(0)
            os.kill(breakable.postgres_pid or 0, signal.SIGKILL)
            outcomes = await storm
            while not breakable.restart_dead():
                await asyncio.sleep(0.01)
            assert {type(outcome) for outcome in outcomes} <= {int, StoreUnavailable}

        assert await asyncio.gather(*(soon(one, postgres) for _ in range(20))) == [1] * 20
        async with postgres.connection() as connection:
            held = await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'idp'")
        assert held <= 4
        assert len(asyncio.all_tasks()) <= tasks + 1  # asyncpg's own, which keeps the pool's smallest size
