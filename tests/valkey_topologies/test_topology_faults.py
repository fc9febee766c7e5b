"""A topology that changes under its clients: masters that hang, hand over or lose their shard, slots that move."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from clients import Client, Log, refreshing
from family import Family, families_in
from redis.crc import key_slot
from topologies import SENTINELS_IN_SOAK, SERVICE, Cluster, Topology, Watched
from valkey_nodes import ADMINISTRATOR, Node, eventually
from world import World

from idp.database.redis import RedisStore
from idp.domain.errors import StoreUnavailable
from idp.domain.operation.limits import Limit
from idp.domain.tokens.refresh_tokens import Outcome
from idp.repositories.tokens.families import family_key, refreshes_key

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("valkey_topologies"), pytest.mark.usefixtures("whole")]

CLUSTER_ONLY = pytest.mark.parametrize("topology", ["cluster"], indirect=True, scope="session")
PEOPLE = 6
SERVED = {200, 201, 204, 503}


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def clients(http: httpx.AsyncClient, log: Log, whole: None) -> list[Client]:
    return [await Client(http, log, tabs=False).begin() for _ in range(PEOPLE)]


async def key_of(world: World, client: Client) -> bytes:
    user_id = await world.database.fetchval("SELECT user_id FROM sessions WHERE family_id = $1", client.family)
    return family_key(client.family, user_id)


@contextmanager
def hung(node: Node) -> Iterator[None]:
    """It takes connections and requests, and answers nothing."""
    os.kill(node.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(node.pid, signal.SIGCONT)


async def generation(node: Node, key: bytes) -> bytes | None:
    async with node.client() as client:
        if (await client.info("cluster"))["cluster_enabled"]:
            await client.execute_command("READONLY")
        found: bytes | None = await client.hget(key, "g")
        return found


@SENTINELS_IN_SOAK
async def test_a_master_that_hung_and_was_replaced_is_not_written_to_when_it_wakes(
    topology: Topology, world: World, clients: list[Client], log: Log
) -> None:
    key = await key_of(world, clients[0])
    old = await topology.master_of(key)
    new = await topology.replica_of(old)
    async with refreshing(clients, log) as crowd:
        await crowd.progress()
        with hung(old):
            await crowd.progress()
        # It does not know yet that it is no master: what it has stays as it was, until it follows.
        known, refused = await generation(old, key), log.statuses[503]
        await crowd.progress()
        assert log.statuses[503] == refused

    if (await old.ask("ROLE"))[0] == b"master":
        assert await generation(old, key) == known
    await topology.healthy()
    assert await topology.master_of(key) is new
    assert await generation(old, key) == await generation(new, key)
    assert crowd.forks() == []
    assert set(log.statuses) <= SERVED


async def hand_over(topology: Topology, old: Node, new: Node) -> None:
    if isinstance(topology, Cluster):
        await new.ask("CLUSTER", "FAILOVER")
    elif isinstance(topology, Watched):
        await topology.sentinels[0].ask("SENTINEL", "FAILOVER", SERVICE)
    await eventually(lambda: is_master(new))


async def is_master(node: Node) -> None:
    assert (await node.ask("ROLE"))[0] == b"master"


@SENTINELS_IN_SOAK
async def test_a_master_hands_over_and_sessions_go_on(
    topology: Topology, world: World, clients: list[Client], log: Log
) -> None:
    key = await key_of(world, clients[0])
    old = await topology.master_of(key)
    async with refreshing(clients, log) as crowd:
        await crowd.progress()
        await hand_over(topology, old, await topology.replica_of(old))
        await crowd.progress()

    assert crowd.forks() == []
    assert set(log.statuses) <= SERVED
    if isinstance(topology, Cluster):
        assert log.statuses[503] == 0  # the old master says who the new one is


@SENTINELS_IN_SOAK
async def test_while_a_shard_is_gone_its_users_are_told_to_try_again_and_the_others_are_served(
    topology: Topology, world: World, clients: list[Client], log: Log, http: httpx.AsyncClient
) -> None:
    lost = await topology.master_of(await key_of(world, clients[0]))
    homes = [await topology.master_of(await key_of(world, client)) for client in clients]
    (await topology.replica_of(lost)).kill()
    lost.kill()

    answers = [await http.post("/auth/refresh", json={"refreshToken": client.token}) for client in clients]

    assert [answer.status_code for answer in answers] == [503 if home is lost else 200 for home in homes]
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 503)
    served = isinstance(topology, Cluster)
    health = await http.get("/health/detailed")
    cache = health.json()["checks"]["cache"]
    assert health.status_code == (await http.get("/health/cache")).status_code == (200 if served else 503)
    assert (cache.get("shards"), cache.get("shardsAnswering")) == ((3, 2) if served else (None, None))
    await topology.repaired()
    for client in clients:
        await client.refresh()
    assert not log.wrong
    assert (await http.get("/health/ready")).status_code == 200


# Slots that move.


class Move:
    """One slot, from its master to another."""

    def __init__(self, slot: int, source: Node, target: Node, names: dict[Node, str]) -> None:
        self.slot, self.source, self.target, self._names = slot, source, target, names

    async def begin(self) -> None:
        await self.target.ask("CLUSTER", "SETSLOT", self.slot, "IMPORTING", self._names[self.source])
        await self.source.ask("CLUSTER", "SETSLOT", self.slot, "MIGRATING", self._names[self.target])

    async def keys(self, *keys: bytes) -> None:
        where: tuple[Any, ...] = ("127.0.0.1", self.target.port, "", 0, 5000, "AUTH", ADMINISTRATOR, "KEYS")
        await self.source.ask("MIGRATE", *where, *keys)

    async def end(self) -> None:
        for node in (self.target, self.source):
            await node.ask("CLUSTER", "SETSLOT", self.slot, "NODE", self._names[self.target])


async def move_of(topology: Topology, key: bytes) -> Move:
    source, masters = await topology.master_of(key), await topology.masters()
    names = {node: await node.said("CLUSTER", "MYID") for node in masters}
    return Move(key_slot(key), source, next(node for node in masters if node is not source), names)


@CLUSTER_ONLY
async def test_a_session_goes_on_while_its_slot_moves(
    topology: Cluster, world: World, clients: list[Client], log: Log
) -> None:
    client, key = clients[0], await key_of(world, clients[0])
    move = await move_of(topology, key)

    await move.begin()
    await client.refresh()
    await move.keys(key)
    await client.refresh()
    await client.sign_in()  # a new family of the same user, which is made at the new place
    await client.refresh()
    await move.end()
    await client.refresh()

    assert await generation(move.target, await key_of(world, client)) == b"3"
    assert log.statuses[503] == 0
    assert not log.wrong


@CLUSTER_ONLY
async def test_a_decision_whose_keys_are_on_both_sides_is_unavailable_and_changes_nothing(
    topology: Cluster, store: RedisStore, cache: Any
) -> None:
    """TRYAGAIN."""
    family = Family(families_in(store, limit=Limit(10, timedelta(minutes=1))), cache, id=uuid4())
    second = await family.next(await family.started())
    move = await move_of(topology, family.key)
    await move.begin()
    await move.keys(family.key)

    with pytest.raises(StoreUnavailable, match="TryAgainError"):
        await family.next(second)

    await move.keys(refreshes_key(family.user_id))
    assert await family.outcome(second) is Outcome.OK
    await move.end()
