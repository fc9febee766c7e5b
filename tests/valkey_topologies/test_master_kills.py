"""
Masters are killed while clients refresh.

Whatever happens: no session is lost, no token is spent twice, and every answer meanwhile is "not now, try again". Nothing is
restarted but the server of Valkey that was killed. What was measured is printed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from clients import Client, Crowd, Log, refreshing
from process import ServerProcess
from topologies import Topology
from valkey_nodes import ADMINISTRATOR, Node, eventually
from world import World

from idp.repositories.tokens.families import family_key

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("valkey_topologies"), pytest.mark.usefixtures("whole")]

# People, and masters that are killed one after the other.
SIZES = [pytest.param(8, 1, id="short"), pytest.param(64, 4, id="long", marks=pytest.mark.soak)]


async def signed_in(http: httpx.AsyncClient, log: Log, people: int) -> list[Client]:
    """With one tab each: two look like a thief when the store forgets what it did for one of them."""
    return [await Client(http, log, tabs=False).begin() for _ in range(people)]


@dataclass
class Outage:
    """What clients saw of one kill: when each answer came, in seconds since."""

    log: Log
    clients: list[Client]
    refusals: int = 0
    began: float = field(default_factory=time.monotonic)
    longest: float = 0.0
    last_refusal: float = 0.0

    async def watched(self, until: asyncio.Event) -> None:
        """The longest time in which some client got no token, and when the last was told to try again."""
        before, seen = self.log.statuses[503], {id(client): (client.rotations, 0.0) for client in self.clients}
        while not until.is_set():
            await asyncio.sleep(0.02)
            now = time.monotonic() - self.began
            if self.log.statuses[503] > before + self.refusals:
                self.refusals, self.last_refusal = self.log.statuses[503] - before, now
            for client in self.clients:
                rotations, since = seen[id(client)]
                if client.rotations > rotations:
                    seen[id(client)] = (client.rotations, now)
                    self.longest = max(self.longest, now - since)

    def __str__(self) -> str:
        return (
            f"{self.longest:.2f} s without service at most, {self.refusals} answers 503, "
            f"the last {self.last_refusal:.2f} s after the kill"
        )


@asynccontextmanager
async def watched(crowd: Crowd) -> AsyncIterator[Outage]:
    """Until the end of the block, and until everybody has refreshed again."""
    outage, over = Outage(crowd.log, crowd.clients), asyncio.Event()
    watching = asyncio.create_task(outage.watched(over))
    try:
        yield outage
        await crowd.progress()
    finally:
        over.set()
        await watching


@pytest.mark.parametrize(("people", "kills"), SIZES)
async def test_a_killed_master_loses_no_session_and_no_token_is_spent_twice(
    topology: Topology, world: World, http: httpx.AsyncClient, people: int, kills: int
) -> None:
    log, outages, quiet, late = Log(), [], 0.0, 0
    clients = await signed_in(http, log, people)
    before = await living(world, clients)
    spent = {client.email: client.token for client in clients}
    async with refreshing(clients, log) as crowd:
        for number in range(kills):
            async with watched(crowd) as usual:
                masters = await eventually(topology.masters)
            quiet = max(quiet, usual.longest)
            master = masters[number % len(masters)]
            async with watched(crowd) as outage:
                master.kill()
            outages.append(outage)
            refused = log.statuses[503]
            master.start()
            await topology.healthy()
            await crowd.progress()
            late += log.statuses[503] - refused

    after = await living(world, clients)
    report(topology, clients, quiet, outages)
    print(f"  sessions before {before}, after {after}; answers {dict(log.statuses)}")
    assert set(log.statuses) <= {200, 201, 503}
    assert late == 0 or kills == 1, "refused after the failover"  # a busy machine may refuse one on its own
    assert crowd.forks() == []
    assert after == before == people
    assert await world.events("refresh_token_reused", user_id=await user_of(world, clients[0])) == []
    # Of what was spent long ago nothing can be had, and trying to ends what the thief and the victim share.
    assert await clients[0].is_refused(spent[clients[0].email])
    assert await clients[0].is_refused()
    assert not await clients[1].is_refused()


def report(topology: Topology, clients: list[Client], quiet: float, outages: list[Outage]) -> None:
    print(
        f"\n{topology.name}, {len(clients)} clients: {sum(client.rotations for client in clients)} refreshes, "
        f"{quiet:.2f} s between two of a client at most while nothing is killed"
    )
    for outage in outages:
        print(f"  {outage}")


async def living(world: World, clients: list[Client]) -> int:
    families = [client.family for client in clients]
    found: int = await world.database.fetchval(
        "SELECT count(*) FROM sessions WHERE family_id = ANY($1) AND revoked_at IS NULL", families
    )
    return found


async def user_of(world: World, client: Client) -> object:
    return await world.database.fetchval("SELECT user_id FROM sessions WHERE family_id = $1", client.family)


async def test_what_a_master_did_not_pass_on_before_it_died_rolls_forward(
    topology: Topology, world: World, server: ServerProcess, http: httpx.AsyncClient
) -> None:
    """Replication is asynchronous: the new master has never heard of the last rotations, which clients hold the tokens of."""
    log = Log()
    (client,) = await signed_in(http, log, 1)
    user_id = await user_of(world, client)
    key = family_key(client.family, user_id)  # type: ignore[arg-type]
    master = await topology.master_of(key)
    replica = await topology.replica_of(master)
    await client.refresh()
    await eventually(lambda: same(master, replica, key))
    known, restored = await watermark(replica, key), server.output().count("family_restored")

    await cut_off(master, replica)
    spent = client.token
    for _ in range(3):
        await client.refresh()
    master.kill()
    await eventually(lambda: is_master(replica))
    behind = await watermark(replica, key)
    await replica.ask("CONFIG", "SET", "masterauth", ADMINISTRATOR)
    await client.refresh()

    assert behind == known
    assert await watermark(replica, key) == known + 4
    assert server.output().count("family_restored") == restored + 1
    assert await living(world, [client]) == 1
    assert await client.is_refused(spent)
    assert not log.wrong


async def watermark(node: Node, key: bytes) -> int:
    async with node.client() as client:
        await client.execute_command("READONLY") if await clustered(node) else None
        return int(await client.hget(key, "g"))


async def clustered(node: Node) -> bool:
    return bool((await node.info("cluster"))["cluster_enabled"])


async def same(one: Node, other: Node, key: bytes) -> None:
    assert await watermark(one, key) == await watermark(other, key)


async def cut_off(master: Node, replica: Node) -> None:
    """It cannot sign in at its master any more."""
    await replica.ask("CONFIG", "SET", "masterauth", "wrong")
    await master.ask("CLIENT", "KILL", "TYPE", "replica")
    await eventually(lambda: has_no_replica(master))


async def has_no_replica(master: Node) -> None:
    assert (await master.ask("ROLE"))[2] == []


async def is_master(node: Node) -> None:
    assert (await node.ask("ROLE"))[0] == b"master"
