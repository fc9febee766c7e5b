"""A URL of several hosts: which one is connected to, and how soon."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from process import free_port

from idp.database.servers import HEAD_START, Servers, credentials
from idp.embedded import EmbeddedStores


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://ada@h1:6000,h2/idp", {"host": ["h1", "h2"], "port": [6000, 5432]}),
        ("postgresql://ada@/idp?host=/a,/b", {"host": ["/a", "/b"], "port": [5432, 5432]}),
        ("postgresql://ada@/idp?host=/a,/b&port=1,2", {"host": ["/a", "/b"], "port": [1, 2]}),
        ("postgresql://[::1]:6000,h2/idp", {"host": ["::1", "h2"], "port": [6000, 5432]}),
        ("postgresql://ada@%2Frun%2Fpg/idp", {"host": "/run/pg", "port": 5432}),
        ("postgresql://h1,h2/idp", {"target_session_attrs": "read-write"}),
        ("postgresql://h1,h2/idp?target_session_attrs=any", {"target_session_attrs": "any"}),
    ],
)
def test_several_hosts_are_read_as_libpq_reads_them(url: str, expected: dict[str, Any]) -> None:
    assert expected.items() <= credentials(url).items()


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A machine that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def calls(silent: socket.socket) -> int:
    """Since the last time."""
    found = 0
    while True:
        try:
            silent.accept()[0].close()
        except BlockingIOError:
            return found
        found += 1


@pytest.fixture
def known(breakable: EmbeddedStores) -> dict[str, Any]:
    breakable.start()
    return credentials(breakable.superuser_url())


def at(known: dict[str, Any], *hosts: tuple[str | Path, int], more: str = "") -> Servers:
    places = f"host={','.join(str(host) for host, _ in hosts)}&port={','.join(str(port) for _, port in hosts)}"
    return Servers(f"postgresql://{known['user']}:{known['password']}@/{known['database']}?{places}&{more}")


async def test_a_host_that_is_down_is_passed_over(known: dict[str, Any]) -> None:
    servers = at(known, ("127.0.0.1", free_port()), (known["host"], known["port"]))

    connection = await servers.connect()

    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def test_a_machine_that_is_silent_costs_a_moment_and_that_only_once(
    known: dict[str, Any], silent: socket.socket
) -> None:
    servers = at(known, silent.getsockname(), (known["host"], known["port"]))
    first = await servers.connect(timeout=20)
    asked = calls(silent)
    second = await servers.connect(timeout=20)

    assert [await connection.fetchval("SELECT 1") for connection in (first, second)] == [1, 1]
    assert (asked, calls(silent)) == (1, 0)
    await asyncio.gather(first.close(), second.close())


async def test_when_all_machines_are_silent_it_ends_in_time(known: dict[str, Any], silent: socket.socket) -> None:
    tasks = len(asyncio.all_tasks())
    with pytest.raises(TimeoutError):
        await at(known, silent.getsockname(), silent.getsockname()).connect(timeout=HEAD_START * 2)
    await asyncio.sleep(0.05)

    assert len(asyncio.all_tasks()) == tasks


async def test_while_nobody_serves_one_searches_for_all(known: dict[str, Any], silent: socket.socket) -> None:
    servers = at(known, silent.getsockname(), silent.getsockname())
    outcomes = await asyncio.gather(*(servers.connect(timeout=1) for _ in range(30)), return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} <= {TimeoutError, asyncpg.TargetServerAttributeNotMatched}
    assert calls(silent) == 2


async def test_a_wrong_password_is_said_rather_than_that_another_host_is_down(known: dict[str, Any]) -> None:
    servers = at(known | {"password": "wrong"}, ("127.0.0.1", free_port()), (known["host"], known["port"]))

    with pytest.raises(asyncpg.InvalidPasswordError):
        await servers.connect()


async def test_a_server_that_takes_no_writes_is_not_chosen(known: dict[str, Any], breakable: EmbeddedStores) -> None:
    servers = at(known, (known["host"], known["port"]), (known["host"], known["port"]))
    admin = await asyncpg.connect(**known)
    await admin.execute("ALTER ROLE postgres SET default_transaction_read_only = on")
    try:
        with pytest.raises(asyncpg.TargetServerAttributeNotMatched):
            await servers.connect()
    finally:
        await admin.execute("SET default_transaction_read_only = off")
        await admin.execute("ALTER ROLE postgres RESET default_transaction_read_only")
        await admin.close()


# What else a URL says.


async def test_connections_have_the_name_of_the_url(known: dict[str, Any]) -> None:
    named = at(known, (known["host"], known["port"]), more="application_name=idp%20eu")
    pool = await asyncpg.create_pool(**named.pooled, min_size=0, server_settings={"application_name": "idp"})
    single = await named.connect(server_settings={"lock_timeout": "7s"})

    asked = "SELECT current_setting('application_name') || ' ' || current_setting('lock_timeout')"
    names = [await pool.fetchval(asked), await single.fetchval(asked)]

    assert names == ["idp eu 0", "idp eu 7s"]
    await single.close()
    await pool.close()


async def test_the_patience_of_the_url_counts(known: dict[str, Any], silent: socket.socket) -> None:
    patient = at(known, silent.getsockname(), more="connect_timeout=1")

    async with asyncio.timeout(60):
        with pytest.raises(TimeoutError):
            await patient.connect(timeout=3600)


@pytest.mark.parametrize(
    ("query", "checks"),
    [("sslmode=require&channel_binding=require", True), ("channel_binding=prefer", False), ("sslmode=require", False)],
)
async def test_channel_binding_that_is_required_is_a_certificate_that_is_checked(
    monkeypatch: pytest.MonkeyPatch, query: str, checks: bool
) -> None:
    """The driver has none; to go on without would trust whoever answers."""
    asked: list[dict[str, Any]] = []

    async def connect(*_: Any, **options: Any) -> None:
        asked.append(options)

    monkeypatch.setattr(asyncpg, "connect", connect)
    await Servers(f"postgresql://db/idp?{query}").connect()

    context = asked[0].get("ssl")
    assert isinstance(context, ssl.SSLContext) is checks
    assert not checks or (context.check_hostname and context.verify_mode is ssl.CERT_REQUIRED)
