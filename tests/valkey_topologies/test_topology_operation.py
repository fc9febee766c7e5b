"""What operators see of a topology, what its user may do, and what each of its refusals becomes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis.asyncio
from redis.crc import key_slot
from redis.exceptions import NoPermissionError, ResponseError
from topologies import SENTINELS_IN_SOAK, Cluster, Topology
from valkey_nodes import PASSWORD, USER, eventually, recommended
from world import World

from idp.database.redis import RedisStore
from idp.database.scripts import Script
from idp.domain.errors import StoreUnavailable
from idp.domain.operation.diagnosis import CacheFacts, Check, Verdict
from idp.repositories.operation.diagnosis.redis import facts
from idp.repositories.tokens.families import family_key
from idp.services.operation.doctor import examine_cache

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("valkey_topologies")]

SCRIPTS = Path(__file__).parents[2] / "idp" / "database" / "scripts"
PROBE = b"rl:{probe}"
REFUSING = "return redis.error_reply(ARGV[1])"
REFUSE = Script(REFUSING, hashlib.sha1(REFUSING.encode()).hexdigest())
ANSWERING = "return ARGV[1]"
ANSWER = Script(ANSWERING, hashlib.sha1(ANSWERING.encode()).hexdigest())


# What operators see.


async def test_health_tells_of_shards_and_of_no_address(topology: Topology, world: World, whole: None) -> None:
    health = await world.http.get("/health/detailed")

    cache = health.json()["checks"]["cache"]
    told = {"shards": 3, "shardsAnswering": 3} if isinstance(topology, Cluster) else {}
    assert health.status_code == 200
    assert {name: cache[name] for name in cache if name not in {"status", "latencyMs"}} == told
    assert not any(str(node.port) in health.text for node in topology.nodes)


async def test_statistics_are_those_of_all_shards_together(topology: Topology, world: World, whole: None) -> None:
    admin = await world.admin()
    masters = await topology.masters()
    least = sum([(await master.info("memory"))["used_memory_startup"] for master in masters])

    answer = await world.http.get("/admin/stats", headers={"Authorization": f"Bearer {admin.access_token}"})

    assert answer.status_code == 200
    assert answer.json()["cache"]["status"] == "ok"
    assert answer.json()["cache"]["usedMemory"] > least


async def test_round_trips_are_measured(world: World) -> None:
    await world.signed_in()

    metrics = (await world.http.get("/metrics")).text

    found = re.search(r"^idp_redis_call_seconds_count (\S+)$", metrics, re.MULTILINE)
    assert found, metrics
    assert float(found[1]) > 0


@dataclass
class Examined:
    """What the doctor asks of stores; here, of Valkey alone."""

    url: str

    async def cache(self) -> CacheFacts:
        return await facts(self.url)


async def diagnosed(topology: Topology) -> dict[str, Check]:
    return {check.name.value: check for check in await examine_cache(Examined(topology.url))}  # type: ignore[arg-type]


async def test_the_doctor_examines_every_master(topology: Topology, whole: None) -> None:
    found = await diagnosed(topology)

    masters = len(await topology.masters())
    assert found["redis-replicas"].finding == f"With a replica: {masters} of {masters} masters."
    assert {check.verdict for check in found.values()} == {Verdict.OK}


@SENTINELS_IN_SOAK
async def test_the_doctor_misses_a_replica(topology: Topology, whole: None) -> None:
    replica = await topology.replica_of((await topology.masters())[0])
    replica.kill()

    async def missed() -> None:
        assert (await diagnosed(topology))["redis-replicas"].verdict is Verdict.WARNING

    await eventually(missed)
    assert (await diagnosed(topology))["redis-replicas"].finding.startswith("Without a replica: 1 of ")


# What the user of docs/valkey.md may do.


def test_the_user_may_run_every_command_of_the_scripts() -> None:
    (user,) = [line for line in recommended("every server") if line.startswith("user idp ")]
    used = {name.lower() for path in SCRIPTS.glob("*.lua") for name in re.findall(r"call\('(\w+)'", path.read_text())}

    assert {f"+{name}" for name in used} <= set(user.split())
    assert len(used) >= 10


@pytest.mark.parametrize(
    "command",
    [
        ("KEYS", "*"),
        ("FLUSHALL",),
        ("CONFIG", "GET", "*"),
        ("CLIENT", "LIST"),
        ("GET", "other"),
        ("DUMP", "rl:{probe}"),
        ("ACL", "LIST"),
        ("REPLICAOF", "NO", "ONE"),
        ("PUBLISH", "rl:{probe}", "x"),
        ("EVAL", "return redis.call('GET', KEYS[1])", "1", "other"),
    ],
    ids=lambda command: command[0],
)
async def test_the_user_may_do_nothing_else(topology: Topology, command: tuple[str, ...]) -> None:
    master = await topology.master_of(b"other")
    async with redis.asyncio.Redis(port=master.port, username=USER, password=PASSWORD, protocol=2) as client:
        with pytest.raises((NoPermissionError, ResponseError), match=r"(?i)no permission|ACL failure"):
            await client.execute_command(*command)


# What refusals become.


@pytest.mark.parametrize(
    "refusal",
    [
        "LOADING Valkey is loading the dataset in memory",
        "READONLY You can't write against a read only replica.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "CLUSTERDOWN The cluster is down",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "NOREPLICAS Not enough good replicas to write.",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "NOAUTH Authentication required.",
        "MOVED {slot} 127.0.0.1:{port}",
        "ASK {slot} 127.0.0.1:{port}",
        "MOVED {slot} 127.0.0.1:1",
    ],
    ids=lambda refusal: re.sub(r"\W.*?(1?)$", r"\1", refusal),
)
async def test_every_refusal_is_unavailable_and_over_when_its_cause_is(
    topology: Topology, store: RedisStore, refusal: str
) -> None:
    port = (await topology.master_of(PROBE)).port
    text = refusal.format(slot=key_slot(PROBE), port=port)

    with pytest.raises(StoreUnavailable) as fault:
        await store.run(REFUSE, (PROBE,), text)

    assert "127.0.0.1" not in str(fault.value)
    assert await eventually(lambda: answered(store)) == b"again"


async def answered(store: RedisStore) -> bytes:
    try:
        found: bytes = await store.run(ANSWER, (PROBE,), "again")
    except StoreUnavailable as fault:
        raise AssertionError(fault) from fault
    return found


async def test_a_master_that_must_not_write_alone_refuses_and_the_token_stays_good(
    topology: Topology, world: World
) -> None:
    """min-replicas-to-write."""
    tokens = await world.signed_in()
    session = await world.session(tokens)
    master = await topology.master_of(family_key(session["family_id"], session["user_id"]))

    await master.ask("CONFIG", "SET", "min-replicas-to-write", 2)
    try:
        refused = await world.post("/auth/refresh", refreshToken=tokens.refresh_token)
    finally:
        await master.ask("CONFIG", "SET", "min-replicas-to-write", 0)

    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert (await world.post("/auth/refresh", refreshToken=tokens.refresh_token)).status_code == 200
