"""A Sentinel and a Cluster, each of the smallest size, as real processes on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import redis.asyncio
from family import Family, families_in
from process import free_port

from idp.database.redis import RedisStore
from idp.domain.errors import StoreUnavailable
from idp.domain.operation.limits import Limit
from idp.domain.tokens.refresh_tokens import Outcome
from idp.embedded.binaries import VALKEY, installed

Start = Callable[..., int]
LIMIT = 30.0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a server with these lines of configuration; gives its port."""
    processes = []

    def started(*lines: str, mode: tuple[str, ...] = ()) -> int:
        port = free_port()
        folder = tmp_path / str(port)
        folder.mkdir()
        # Its own choice for the bus, 10,000 above, is among the ports of the system's own connections.
        bus = [f"cluster-port {free_port()}"] if "cluster-enabled yes" in lines else []
        text = "\n".join([f"port {port}", "bind 127.0.0.1", f"dir {folder}", 'save ""', *bus, *lines])
        (folder / "conf").write_text(text)
        command = [str(installed(VALKEY)), str(folder / "conf"), *mode]
        with (folder / "log").open("wb") as log:
            processes.append(subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL))
        return port

    yield started
    for process in processes:
        process.kill()
        process.wait()


async def eventually(what: Callable[[], object]) -> None:
    """Tries again until it raises no more."""
    end = time.monotonic() + LIMIT
    while True:
        try:
            await what()  # type: ignore[misc]
        except (redis.RedisError, OSError, StoreUnavailable, AssertionError):
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.02)
        else:
            return


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(url)
    yield store
    await store.close()


async def rotates(store: RedisStore, cache: redis.asyncio.Redis) -> None:
    family = Family(families_in(store, limit=Limit(10, timedelta(minutes=1))), cache, id=uuid4())
    first = await family.started()
    assert await family.outcome(first) is Outcome.OK


async def test_families_rotate_on_the_master_that_the_sentinels_name(start: Start) -> None:
    master, other = start("requirepass pw", "masterauth pw"), start("requirepass pw", "masterauth pw")
    sentinel = start(f"sentinel monitor idp 127.0.0.1 {master} 1", "sentinel auth-pass idp pw", mode=("--sentinel",))
    async with (
        redis.asyncio.Redis(port=master, password="pw") as old,
        redis.asyncio.Redis(port=other, password="pw") as new,
        redis.asyncio.Redis(port=sentinel) as watcher,
        opened(f"redis+sentinel://:pw@127.0.0.1:{sentinel}/idp") as store,
    ):
        await eventually(store.ping)
        await rotates(store, old)

        await eventually(new.ping)
        await old.replicaof("127.0.0.1", other)
        await watcher.execute_command("SENTINEL", "REMOVE", "idp")
        await watcher.execute_command("SENTINEL", "MONITOR", "idp", "127.0.0.1", other, 1)
        await watcher.execute_command("SENTINEL", "SET", "idp", "auth-pass", "pw")

        await eventually(lambda: rotates(store, new))
        assert await new.dbsize() > 0


async def formed(node: redis.asyncio.Redis) -> None:
    await node.ping()
    assert "cluster_state:ok" in str(await node.execute_command("CLUSTER", "INFO"))


async def test_families_rotate_in_a_cluster_that_has_forgotten_the_scripts(start: Start) -> None:
    port = start("cluster-enabled yes", "requirepass pw")
    async with redis.asyncio.Redis(port=port, password="pw", decode_responses=True) as node:
        await eventually(node.ping)
        await node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        await eventually(lambda: formed(node))
        async with opened(f"redis+cluster://:pw@127.0.0.1:{port}") as store:
            await rotates(store, node)
            await node.script_flush()

            await asyncio.gather(*(rotates(store, node) for _ in range(50)))
            assert [info["cluster_enabled"] for info in await store.info()] == [1]


async def test_a_cluster_that_refuses_writes_is_unavailable(start: Start) -> None:
    port = start("cluster-enabled yes", "requirepass pw")
    async with redis.asyncio.Redis(port=port, password="pw", decode_responses=True) as node:
        await eventually(node.ping)
        await node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        await eventually(lambda: formed(node))
        async with opened(f"redis+cluster://:pw@127.0.0.1:{port}") as store:
            assert await store.ping() == {"shards": 1, "shardsAnswering": 1}
            await node.config_set("maxmemory", "1")

            with pytest.raises(StoreUnavailable):
                await store.ping()


async def test_a_cluster_that_is_gone_is_unavailable(start: Start) -> None:
    async with opened(f"redis+cluster://127.0.0.1:{free_port()}") as store:
        with pytest.raises(StoreUnavailable):
            await store.ping()
