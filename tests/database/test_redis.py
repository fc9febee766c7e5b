"""Redis behind its choke point: what a URL means, and what every fault of the driver becomes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis.asyncio
from redis.asyncio import BlockingConnectionPool, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.sentinel import SentinelConnectionPool

from idp.database import redis_server as module
from idp.database.redis import RedisStore
from idp.database.redis_server import ANSWER_TIMEOUT
from idp.database.redis_urls import CONNECT_TIMEOUT, ClusterUrl, client_for
from idp.database.scripts import Script, load
from idp.domain.errors import StoreUnavailable
from idp.embedded import EmbeddedStores

SOURCE = "return {ARGV[1], redis.call('INCR', KEYS[1])}"
COUNT = Script(SOURCE, hashlib.sha1(SOURCE.encode()).hexdigest())


# What a URL means.


@pytest.mark.parametrize(
    ("url", "kind", "where"),
    [
        ("redis://h:6380/3", Connection, {"host": "h", "port": 6380, "db": 3}),
        ("redis://ada:p%40ss@h", Connection, {"username": "ada", "password": "p@ss"}),
        ("rediss://h:6390", SSLConnection, {"host": "h", "port": 6390}),
        ("unix://:pw@/run/valkey.sock", UnixDomainSocketConnection, {"path": "/run/valkey.sock", "password": "pw"}),
    ],
)
def test_one_server_is_told_by_scheme(url: str, kind: type, where: dict[str, Any]) -> None:
    pool = client_for(url).connection_pool

    assert isinstance(pool, BlockingConnectionPool)
    assert pool.connection_class is kind
    assert where.items() <= pool.connection_kwargs.items()


def test_sentinels_and_their_service_are_told_by_scheme() -> None:
    pool = client_for("redis+sentinel://ada:p%40ss@h1:26380,h2,[::1]:26381/idp/2").connection_pool

    watchers = [client.connection_pool.connection_kwargs for client in pool.sentinel_manager.sentinels]
    assert isinstance(pool, SentinelConnectionPool)
    assert pool.service_name == "idp"
    assert [(watcher["host"], watcher["port"]) for watcher in watchers] == [
        ("h1", 26380),
        ("h2", 26379),
        ("::1", 26381),
    ]
    assert {"username": "ada", "password": "p@ss", "db": 2}.items() <= pool.connection_kwargs.items()


def test_sentinels_have_a_password_of_their_own() -> None:
    pool = client_for("redis+sentinel://:pw@h1/idp?sentinel_username=eve&sentinel_password=s%40fe").connection_pool

    (watcher,) = pool.sentinel_manager.sentinels
    assert {"username": "eve", "password": "s@fe"}.items() <= watcher.connection_pool.connection_kwargs.items()


def test_a_cluster_is_told_by_scheme() -> None:
    read = ClusterUrl.read("redis+cluster://ada:p%40ss@h1:7001,h2,[::1]:7002")
    node = read.client(("h3", 7003)).connection_pool

    assert read.named == (("h1", 7001), ("h2", 6379), ("::1", 7002))
    assert node.connection_class is Connection
    assert {"host": "h3", "port": 7003, "username": "ada", "password": "p@ss"}.items() <= node.connection_kwargs.items()


def test_tls_goes_to_every_server_of_a_list() -> None:
    node = ClusterUrl.read("rediss+cluster://h1?ssl_ca_certs=/ca.pem").client(("h3", 7003)).connection_pool
    master = client_for("rediss+sentinel://h1/idp?ssl_ca_certs=/ca.pem").connection_pool
    (watcher,) = master.sentinel_manager.sentinels

    for pool in (node, master, watcher.connection_pool):
        assert issubclass(pool.connection_class, SSLConnection)
        assert pool.connection_kwargs["ssl_ca_certs"] == "/ca.pem"


@pytest.mark.parametrize("url", ["redis://h", "rediss://h", "unix:///s", "redis+sentinel://h/s"])
def test_every_form_has_deadlines(url: str) -> None:
    kwargs = client_for(url).connection_pool.connection_kwargs

    assert (kwargs["socket_connect_timeout"], kwargs["socket_timeout"]) == (CONNECT_TIMEOUT, ANSWER_TIMEOUT)


def test_nodes_of_a_cluster_have_deadlines() -> None:
    kwargs = ClusterUrl.read("redis+cluster://h").client(("h", 1)).connection_pool.connection_kwargs

    assert (kwargs["socket_connect_timeout"], kwargs["socket_timeout"]) == (CONNECT_TIMEOUT, ANSWER_TIMEOUT)


# What a fault becomes.


@pytest.fixture
def url(breakable: EmbeddedStores) -> str:
    return breakable.start().redis


@pytest.fixture
async def store(url: str) -> AsyncIterator[RedisStore]:
    opened = RedisStore(url)
    yield opened
    await opened.close()


@pytest.fixture
async def admin(url: str, store: RedisStore) -> AsyncIterator[redis.asyncio.Redis]:
    async with redis.asyncio.from_url(url) as client:
        yield client


async def answers(store: RedisStore, *names: str, key: bytes = b"k") -> list[str]:
    found = await asyncio.gather(*(store.run(COUNT, (key,), name) for name in names))
    return [answer[0].decode() for answer in found]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_TIMEOUT", 0.3)


async def test_each_caller_gets_the_answer_to_its_own_question(store: RedisStore) -> None:
    names = [str(number) for number in range(1000)]

    assert await answers(store, *names) == names


async def test_a_server_that_forgot_the_scripts_is_told_them_again(
    store: RedisStore, admin: redis.asyncio.Redis
) -> None:
    await answers(store, "before")
    await admin.script_flush()

    assert await answers(store, "a", "b", "c") == ["a", "b", "c"]


async def test_a_script_that_refuses_fails_its_own_caller_only(store: RedisStore) -> None:
    start = load("family_start")
    await store.run(start, (b"family",), b"n" * 16, "app", 2**41)

    taken, other = await asyncio.gather(
        store.run(start, (b"family",), b"m" * 16, "app", 2**41), store.run(COUNT, (b"k",), "x"), return_exceptions=True
    )

    assert isinstance(taken, StoreUnavailable)
    assert other[0] == b"x"


async def test_a_connection_that_was_closed_is_replaced_unnoticed(
    store: RedisStore, admin: redis.asyncio.Redis
) -> None:
    await answers(store, "before")
    await admin.client_kill_filter(_type="normal", skipme=True)

    assert await answers(store, "after") == ["after"]


async def test_a_server_that_is_down_is_unavailable_and_found_again(
    store: RedisStore, breakable: EmbeddedStores
) -> None:
    await answers(store, "before")
    breakable.stop_valkey()

    outcomes = await asyncio.gather(*(store.run(COUNT, (b"k",), "x") for _ in range(300)), return_exceptions=True)
    with pytest.raises(StoreUnavailable):
        await store.ping()
    breakable.start_valkey()

    assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
    assert await answers(store, "after") == ["after"]
    await store.ping()


async def test_a_killed_server_is_unavailable_and_found_again(store: RedisStore, breakable: EmbeddedStores) -> None:
    await answers(store, "before")
    os.kill(breakable.valkey_pid or 0, signal.SIGKILL)
    with pytest.raises(StoreUnavailable):
        while True:
            await answers(store, "during")
    while not breakable.restart_dead():
        await asyncio.sleep(0.01)

    assert await answers(store, "after") == ["after"]


async def test_answers_that_come_too_late_reach_nobody_else(
    store: RedisStore, breakable: EmbeddedStores, impatient: None
) -> None:
    await answers(store, "before")
    os.kill(breakable.valkey_pid or 0, signal.SIGSTOP)
    try:
        late = await asyncio.gather(*(store.run(COUNT, (b"k",), "late") for _ in range(300)), return_exceptions=True)
    finally:
        os.kill(breakable.valkey_pid or 0, signal.SIGCONT)

    assert {type(outcome) for outcome in late} == {StoreUnavailable}
    names = [str(number) for number in range(300)]
    assert await answers(store, *names) == names


async def test_a_caller_that_goes_away_leaves_the_answers_of_the_others_right(store: RedisStore) -> None:
    calls = [asyncio.create_task(store.run(COUNT, (b"k",), str(number))) for number in range(50)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()

    assert [(await call)[0] for call in calls[1::2]] == [str(number).encode() for number in range(1, 50, 2)]


async def test_a_master_that_became_a_replica_is_unavailable(store: RedisStore, admin: redis.asyncio.Redis) -> None:
    await answers(store, "before")
    await admin.replicaof("127.0.0.1", 1)
    try:
        with pytest.raises(StoreUnavailable, match="ReadOnlyError"):
            await answers(store, "during")
    finally:
        await admin.replicaof("NO", "ONE")

    assert await answers(store, "after") == ["after"]


async def test_a_refused_password_is_unavailable_and_stands_in_no_text(url: str) -> None:
    store = RedisStore(url.replace("unix://:", "unix://:wrong"))

    with pytest.raises(StoreUnavailable) as fault:
        await answers(store, "x")
    await store.close()

    password = url.removeprefix("unix://:").partition("@")[0]
    assert password not in f"{fault.value!r} {fault.value.reason}"
    assert "valkey.sock" not in str(fault.value)


async def test_a_storm_while_the_server_is_down_keeps_no_task_and_no_connection(
    store: RedisStore, admin: redis.asyncio.Redis, breakable: EmbeddedStores
) -> None:
    await answers(store, "before")
    tasks, connections = len(asyncio.all_tasks()), len(await admin.client_list())
    for _ in range(3):
        breakable.stop_valkey()
        await asyncio.gather(*(store.run(COUNT, (b"k",), "x") for _ in range(500)), return_exceptions=True)
        breakable.start_valkey()
        await answers(store, *"after")

    assert len(asyncio.all_tasks()) <= tasks
    assert len(await admin.client_list()) <= connections
