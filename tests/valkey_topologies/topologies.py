"""
The two ways in which Valkey survives the death of a machine, each as real processes:

    cluster    3 masters with a replica each
    sentinel   a master, a replica and 3 sentinels
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import pytest
import redis.asyncio
from process import free_port
from redis.asyncio.cluster import RedisCluster
from redis.crc import key_slot
from valkey_nodes import (
    ADMINISTRATOR,
    PASSWORD,
    SENTINEL_PASSWORD,
    SENTINEL_USER,
    USER,
    Node,
    eventually,
    recommended,
)

NODE_TIMEOUT = 1000  # ms until the others think that a node is dead
SERVICE = "sessions"
LOGIN = f"{USER}:{quote(PASSWORD, safe='')}"


class Topology(Protocol):
    name: str
    url: str
    nodes: list[Node]

    async def start(self) -> None: ...

    async def masters(self) -> list[Node]: ...

    async def master_of(self, key: bytes) -> Node: ...

    async def replica_of(self, master: Node) -> Node: ...

    async def healthy(self) -> None:
        """Waits until each master has a replica that has all it has, and everybody knows."""

    async def repaired(self) -> None:
        """Starts what tests have killed."""

    def administrator(self) -> AbstractAsyncContextManager[Any]:
        """A client of the driver that may do everything."""

    def stop(self) -> None: ...


async def roles(nodes: list[Node]) -> list[str]:
    """`master`, `slave` or `dead`."""

    async def role(node: Node) -> str:
        try:
            return (await node.ask("ROLE"))[0].decode()
        except (redis.RedisError, OSError):
            return "dead"

    return list(await asyncio.gather(*map(role, nodes)))


async def follows(replica: Node, master: Node) -> None:
    """Raises until it does, and has all that its master has."""
    role = await replica.ask("ROLE")
    assert role[0] == b"slave"
    assert (role[2], role[3]) == (master.port, b"connected")


async def repaired(topology: Topology) -> None:
    for node in topology.nodes:
        if not node.running:
            node.start()
    await topology.healthy()


def server(folder: Path, port: int, *lines: str) -> Node:
    servers = [*recommended("every server"), "appendfsync no", "repl-diskless-sync-delay 0"]
    return Node(folder / str(port), port, [*servers, *lines])


class Cluster:
    name = "cluster"

    def __init__(self, folder: Path) -> None:
        ports = [free_port() for _ in range(12)]
        settings = [*recommended("every node of a cluster"), f"cluster-node-timeout {NODE_TIMEOUT}"]
        self.nodes = [
            server(folder, port, *settings, f"cluster-port {bus}")
            for port, bus in zip(ports[:6], ports[6:], strict=True)
        ]
        self._bus = dict(zip(ports[:6], ports[6:], strict=True))
        # One that is asked first and one to fall back upon: the others are found.
        self.url = f"redis+cluster://{LOGIN}@{self.nodes[0].address},{self.nodes[4].address}"

    async def start(self) -> None:
        for node in self.nodes:
            node.start()
        await asyncio.gather(*(node.ready() for node in self.nodes))
        masters, replicas = self.nodes[:3], self.nodes[3:]
        for number, node in enumerate(self.nodes):
            await node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node, (first, last) in zip(masters, ((0, 5460), (5461, 10922), (10923, 16383)), strict=True):
            await node.ask("CLUSTER", "ADDSLOTSRANGE", first, last)
        for node in self.nodes[1:]:
            await self.nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", node.port, self._bus[node.port])
        for replica, master in zip(replicas, masters, strict=True):
            identity = await master.said("CLUSTER", "MYID")
            await eventually(lambda r=replica, i=identity: r.ask("CLUSTER", "REPLICATE", i))  # type: ignore[misc]
        await self.healthy()

    async def masters(self) -> list[Node]:
        return [node for node, role in zip(self.nodes, await roles(self.nodes), strict=True) if role == "master"]

    async def master_of(self, key: bytes) -> Node:
        slot = key_slot(key)
        for master in await self.masters():
            for first, last, serving, *_ in await master.ask("CLUSTER", "SLOTS"):
                if first <= slot <= last and serving[1] == master.port:
                    return master
        raise AssertionError(f"no master serves slot {slot}")

    async def replica_of(self, master: Node) -> Node:
        following = [int(port) for _, port, _ in (await master.ask("ROLE"))[2]]
        assert len(following) == 1, following
        return next(node for node in self.nodes if node.port == following[0])

    async def repaired(self) -> None:
        await repaired(self)

    async def healthy(self) -> None:
        await eventually(self._is_healthy, pause=0.1)

    async def _is_healthy(self) -> None:
        masters = await self.masters()
        assert len(masters) == 3
        for master in masters:
            await follows(await self.replica_of(master), master)
        for node in self.nodes:
            state = await node.said("CLUSTER", "INFO")
            assert "cluster_state:ok" in state
            assert "cluster_known_nodes:6" in state
            assert "fail" not in await node.said("CLUSTER", "NODES")

    @asynccontextmanager
    async def administrator(self) -> AsyncIterator[Any]:
        async with RedisCluster(
            host="127.0.0.1", port=self.nodes[0].port, password=ADMINISTRATOR, protocol=2
        ) as client:
            yield client

    def stop(self) -> None:
        for node in self.nodes:
            if node.running:
                node.kill()


class Watched:
    """A master, its replica and three sentinels."""

    name = "sentinel"

    def __init__(self, folder: Path) -> None:
        one, other, *watching = (free_port() for _ in range(5))
        self.nodes = [server(folder, one), server(folder, other, f"replicaof 127.0.0.1 {one}")]
        settings = [
            *recommended("every sentinel"),
            f"sentinel monitor {SERVICE} 127.0.0.1 {one} 2",
            f"sentinel auth-pass {SERVICE} {ADMINISTRATOR}",
            f"sentinel down-after-milliseconds {SERVICE} {NODE_TIMEOUT}",
            f"sentinel failover-timeout {SERVICE} 6000",
        ]
        self.sentinels = [Node(folder / str(port), port, settings, sentinel=True) for port in watching]
        login = f"sentinel_username={SENTINEL_USER}&sentinel_password={quote(SENTINEL_PASSWORD, safe='')}"
        hosts = ",".join(node.address for node in self.sentinels)
        self.url = f"redis+sentinel://{LOGIN}@{hosts}/{SERVICE}?{login}"

    async def start(self) -> None:
        for node in self.nodes:
            node.start()
        await asyncio.gather(*(node.ready() for node in self.nodes))
        await eventually(lambda: follows(self.nodes[1], self.nodes[0]))
        for sentinel in self.sentinels:
            sentinel.start()
        await self.healthy()

    async def masters(self) -> list[Node]:
        """As the sentinels see it."""
        named = {await self._named(sentinel) for sentinel in self.sentinels}
        assert len(named) == 1, named
        return [node for node in self.nodes if node.port in named]

    async def _named(self, sentinel: Node) -> int:
        return int((await sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE))[1])

    async def master_of(self, _key: bytes) -> Node:
        (master,) = await self.masters()
        return master

    async def replica_of(self, master: Node) -> Node:
        (replica,) = [node for node in self.nodes if node is not master]
        return replica

    async def repaired(self) -> None:
        await repaired(self)

    async def healthy(self) -> None:
        await eventually(self._is_healthy, pause=0.1)

    async def _is_healthy(self) -> None:
        (master,) = await self.masters()
        assert await roles([master]) == ["master"]
        await follows(await self.replica_of(master), master)
        for sentinel in self.sentinels:
            told = await sentinel.ask("SENTINEL", "MASTER", SERVICE)
            state = dict(zip(told[::2], told[1::2], strict=True))
            assert state[b"flags"] == b"master", state[b"flags"]
            assert (state[b"num-other-sentinels"], state[b"num-slaves"]) == (b"2", b"1")
            (replica,) = await sentinel.ask("SENTINEL", "REPLICAS", SERVICE)
            assert dict(zip(replica[::2], replica[1::2], strict=True))[b"flags"] == b"slave"

    @asynccontextmanager
    async def administrator(self) -> AsyncIterator[Any]:
        watching = [("127.0.0.1", node.port) for node in self.sentinels]
        sentinel = redis.asyncio.Sentinel(
            watching, sentinel_kwargs={"password": SENTINEL_PASSWORD, "protocol": 2}, password=ADMINISTRATOR, protocol=2
        )
        async with sentinel.master_for(SERVICE) as client:
            yield client
        await sentinel.aclose()

    def stop(self) -> None:
        for node in [*self.sentinels, *self.nodes]:
            if node.running:
                node.kill()


# For a test that waits long for sentinels: they tell an old master to follow 10 s after it came back.
SENTINELS_IN_SOAK = pytest.mark.parametrize(
    "topology", ["cluster", pytest.param("sentinel", marks=pytest.mark.soak)], indirect=True, scope="session"
)
TOPOLOGIES: dict[str, type[Cluster] | type[Watched]] = {kind.name: kind for kind in (Cluster, Watched)}
