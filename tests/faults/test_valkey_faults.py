"""
Valkey dies, forgets or hangs while clients refresh.

Whatever happens: no live session is lost, nothing that was revoked is accepted afterwards, and every answer meanwhile is
"not now, try again". The server is never restarted.
"""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import httpx
import pytest
import redis.asyncio
from clients import PASSWORD, Client, Crowd, Log, refreshing
from sites import Site

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("faults")]

STATIC = ("/.well-known/jwks.json", "/.well-known/openid-configuration", "/health/live")
# A command after which Valkey refuses writes, and one after which it takes them again.
REFUSING = {
    "full": (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
    "without replicas": (
        ("CONFIG", "SET", "min-replicas-to-write", "1"),
        ("CONFIG", "SET", "min-replicas-to-write", "0"),
    ),
    "a replica": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
}
# Every question to Valkey has 2 s; the rest is for a busy machine.
DEADLINE = 10.0


async def all_refused(clients: list[Client]) -> bool:
    return all([await client.is_refused() for client in clients])


def one_tab_each(clients: list[Client]) -> list[Client]:
    for client in clients:
        client.tabs = False
    return clients


async def noticed(crowd: Crowd) -> None:
    """Until clients have been told that something is unavailable."""
    before = crowd.log.statuses[503]
    async with asyncio.timeout(DEADLINE):
        while crowd.log.statuses[503] <= before + len(crowd.clients):
            await asyncio.sleep(0.01)


async def in_time(http: httpx.AsyncClient, token: str) -> httpx.Response:
    """A refresh that is answered before the deadline."""
    async with asyncio.timeout(DEADLINE):
        return await http.post("/auth/refresh", json={"refreshToken": token})


async def test_a_killed_valkey_loses_no_session_and_revives_none(
    site: Site, clients: list[Client], signed_out: list[Client], log: Log
) -> None:
    """RF11."""
    async with refreshing(clients, log) as crowd:
        for _ in range(3):
            await crowd.progress()
            site.kill("valkey")
            await noticed(crowd)
            site.revive()
        await crowd.progress()

    assert crowd.forks() == []
    assert await all_refused(signed_out)


async def test_a_valkey_put_back_by_a_few_rotations_loses_no_session_and_revives_none(
    site: Site, clients: list[Client], log: Log
) -> None:
    """RF11."""
    *live, leaver = one_tab_each(clients)
    files, older = site.append_only_files, site.folder / "older"
    restored = site.server.output().count("family_restored")
    async with refreshing(live, log) as crowd:
        await crowd.progress()
        copy(files, older)
        await crowd.progress()
        await leaver.sign_out()
        site.stores.stop_valkey()
        subprocess.run(["rm", "-r", files], check=True)
        copy(older, files)
        site.stores.start_valkey()
        await crowd.progress()

    assert site.server.output().count("family_restored") - restored >= len(live)
    assert await leaver.is_refused()


def copy(folder: Path, to: Path) -> None:
    subprocess.run(["cp", "-a", folder, to], check=True)


async def test_a_valkey_that_forgot_everything_loses_no_session_and_revives_none(
    site: Site, clients: list[Client], signed_out: list[Client], log: Log
) -> None:
    """RF11; Keycloak CVE-2026-9802."""
    one_tab_each(clients)
    async with refreshing(clients, log) as crowd, redis.asyncio.from_url(site.stores.start().redis) as valkey:
        for _ in range(3):
            await crowd.progress()
            await valkey.flushall()
        await crowd.progress()

    assert await all_refused(signed_out)


async def test_a_token_used_before_the_last_checkpoint_is_recognised_by_a_valkey_that_forgot_everything(
    site: Site, http: httpx.AsyncClient, log: Log
) -> None:
    """RF11."""
    client = await Client(http, log).begin()
    used = []
    for _ in range(20):
        used.append(client.token)
        await client.refresh()
    site.server.stop()  # which writes what it has noted
    site.server.start()
    async with redis.asyncio.from_url(site.stores.start().redis) as valkey:
        await valkey.flushall()

    assert await client.is_refused(used[10])
    assert await client.is_refused()


@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=pytest.mark.soak)])
async def test_while_valkey_is_down_every_answer_says_try_again(
    site: Site, http: httpx.AsyncClient, clients: list[Client], signed_out: list[Client], log: Log, seconds: int
) -> None:
    """RF12."""
    *live, leaver, person = clients
    async with refreshing(live, log) as crowd:
        await crowd.progress()
        site.stores.stop_valkey()
        await noticed(crowd)
        await leaver.sign_out()
        login = await http.post("/auth/login", json={"email": person.email, "password": PASSWORD})
        statics = [(await http.get(path)).status_code for path in STATIC]
        ready = await http.get("/health/ready")
        rotations = [client.rotations for client in live]
        await asyncio.sleep(seconds)
        assert [client.rotations for client in live] == rotations
        site.stores.start_valkey()
        await crowd.progress()

    assert (login.status_code, ready.status_code) == (503, 503)
    assert "retry-after" in login.headers
    assert "retry-after" in ready.headers
    assert statics == [200, 200, 200]
    assert await all_refused([*signed_out, leaver])
    await person.sign_in()


async def test_a_valkey_that_refuses_writes_is_not_ready(site: Site, http: httpx.AsyncClient) -> None:
    """RF12: it answers every PING, and every sign-in would be 503."""
    told: dict[str, list[int]] = {}
    async with redis.asyncio.from_url(site.urls.redis, decode_responses=True) as valkey:
        for refusal, (refuses, serves) in REFUSING.items():
            before = (await http.get("/health/ready")).status_code
            await valkey.execute_command(*refuses)
            try:
                assert await valkey.ping()
                answers = [await http.get(path) for path in ("/health/ready", "/health/cache", "/health/live")]
            finally:
                await valkey.execute_command(*serves)
            after = (await http.get("/health/ready")).status_code
            told[refusal] = [before, *(answer.status_code for answer in answers), after]
            assert answers[0].headers["retry-after"]

    assert told == {refusal: [200, 503, 503, 200, 200] for refusal in REFUSING}


@pytest.mark.parametrize("seconds", [1, pytest.param(60, marks=pytest.mark.soak)])
async def test_while_valkey_hangs_every_answer_comes_within_the_deadline(
    site: Site, http: httpx.AsyncClient, clients: list[Client], signed_out: list[Client], log: Log, seconds: int
) -> None:
    *live, leaver = clients
    async with refreshing(live, log) as crowd:
        await crowd.progress()
        with site.hung("valkey"):
            refusals = await asyncio.gather(*(in_time(http, live[0].token) for _ in range(150)))
            statics = [(await http.get(path)).status_code for path in STATIC]
            await leaver.sign_out()
            await asyncio.sleep(seconds)
        await crowd.progress()

    assert {refusal.status_code for refusal in refusals} == {503}
    assert all("retry-after" in refusal.headers for refusal in refusals)
    assert statics == [200, 200, 200]
    assert await all_refused([*signed_out, leaver])


async def test_answers_of_a_valkey_that_hung_reach_nobody_else(site: Site, clients: list[Client], log: Log) -> None:
    """What comes too late is not taken for the answer to the next question: every successor is of its own family."""
    families = [client.family for client in clients]
    async with refreshing(clients, log) as crowd:
        for _ in range(2):
            await crowd.progress()
            with site.hung("valkey"):
                await noticed(crowd)
        await crowd.progress()

    assert [client.family for client in clients] == families
    assert crowd.forks() == []
