"""Lists and profiles come from standbys while these are good enough; what is decided does not."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest
from sets import ADMIN, Administrator, ReplicatedSite, access_token, registered, until

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("standby")]


async def reads(http: httpx.AsyncClient) -> Counter[str]:
    """By target, as /metrics counts them."""
    found: Counter[str] = Counter()
    for line in (await http.get("/metrics")).text.splitlines():
        if line.startswith("idp_postgres_reads_total{"):
            found[line.split('"')[1]] = int(float(line.rpartition(" ")[2]))
    return found


async def replicas(http: httpx.AsyncClient) -> list[str]:
    answer = await http.get("/health/detailed")
    assert answer.status_code == 200
    return [replica["status"] for replica in answer.json()["checks"]["replicas"]["replicas"]]


@pytest.mark.parametrize("path", ["/admin/users", "/admin/clients", "/admin/sessions", "/admin/audit", "/admin/stats"])
async def test_lists_are_read_from_standbys(
    replicated: ReplicatedSite, http: httpx.AsyncClient, administrator: Administrator, path: str
) -> None:
    before = await reads(http)

    await administrator.get(path)

    after = await reads(http)
    assert after["replica"] > before["replica"]
    assert after["primary"] == before["primary"]


async def test_standbys_take_turns(
    replicated: ReplicatedSite, http: httpx.AsyncClient, administrator: Administrator
) -> None:
    await asyncio.gather(*(administrator.get("/admin/users") for _ in range(8)))

    connected = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'idp'"
    assert all([await standby.run(connected) for standby in replicated.standbys])


async def test_a_list_may_be_as_old_as_its_standby_and_no_older_than_the_limit(
    still: ReplicatedSite, http: httpx.AsyncClient, administrator: Administrator
) -> None:
    person = await registered(http)
    at_once = await administrator.names(person["email"])

    async def known() -> bool:
        return await administrator.names(person["email"]) == ["Ada"]

    await until(known)
    assert at_once == []
    assert await replicas(http) == ["unavailable"] * 2
    assert (await http.get("/health/ready")).status_code == 200


async def test_an_administrator_sees_each_change_of_theirs_at_once(
    replicated: ReplicatedSite, http: httpx.AsyncClient
) -> None:
    administrator = await Administrator.made(replicated, http)
    person = await registered(http)

    async def known() -> bool:
        return len(await administrator.names(person["email"])) == 1

    await until(known)
    user = (await administrator.get("/admin/users", search=person["email"]))["users"][0]
    for standby in replicated.standbys:
        await standby.run("SELECT pg_wal_replay_pause()")
    try:
        before = await reads(http)
        await administrator.put(f"/admin/users/{user['id']}", name="Grace")

        assert await administrator.names(person["email"]) == ["Grace"]
        assert (await reads(http))["replica"] == before["replica"]
    finally:
        for standby in replicated.standbys:
            await standby.run("SELECT pg_wal_replay_resume()")


async def test_userinfo_is_read_from_a_standby_and_never_old(
    replicated: ReplicatedSite, http: httpx.AsyncClient
) -> None:
    person = await registered(http)
    token = await openid_token(http, person)
    before = await reads(http)

    async def name() -> str:
        answer = await http.get("/oauth2/userinfo", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200
        return str(answer.json()["name"])

    assert await name() == "Ada"
    assert (await reads(http))["replica"] > before["replica"]
    for standby in replicated.standbys:
        await standby.run("SELECT pg_wal_replay_pause()")
    try:
        own = await access_token(http, **person)
        changed = await http.patch("/auth/profile", json={"name": "Grace"}, headers={"Authorization": f"Bearer {own}"})
        assert changed.status_code == 200
        assert await name() == "Grace"
    finally:
        for standby in replicated.standbys:
            await standby.run("SELECT pg_wal_replay_resume()")


async def test_what_has_ended_is_refused_whatever_the_standbys_know(
    still: ReplicatedSite, http: httpx.AsyncClient
) -> None:
    person = await registered(http)
    answer = (await http.post("/auth/login", json={"email": person["email"], "password": person["password"]})).json()
    bearer = {"Authorization": f"Bearer {answer['accessToken']}"}

    assert (await http.post("/auth/logout-all", headers=bearer)).status_code == 204

    assert (await http.get("/oauth2/userinfo", headers=bearer)).status_code == 401
    assert (await http.get("/auth/profile", headers=bearer)).status_code == 401
    refreshed = await http.post("/auth/refresh", json={"refreshToken": answer["refreshToken"]})
    assert refreshed.status_code == 401


async def test_a_killed_standby_is_done_without_and_taken_again(
    replicated: ReplicatedSite, http: httpx.AsyncClient, administrator: Administrator
) -> None:
    first, _ = replicated.standbys
    first.kill()
    listed = await asyncio.gather(*(administrator.names(ADMIN["email"]) for _ in range(20)))
    assert {len(names) for names in listed} == {1}

    async def noticed() -> bool:
        return await replicas(http) == ["unavailable", "ok"]

    async def healed() -> bool:
        return await replicas(http) == ["ok", "ok"]

    await until(noticed)
    assert (await http.get("/health/detailed")).json()["status"] == "ok"
    assert (await http.get("/health/ready")).status_code == 200
    first.stop()
    first.start()
    await until(healed)


async def test_hung_standbys_are_done_without(
    replicated: ReplicatedSite, http: httpx.AsyncClient, administrator: Administrator
) -> None:
    first, second = replicated.standbys
    with first.hung(), second.hung():
        listed = await asyncio.gather(*(administrator.names(ADMIN["email"]) for _ in range(20)))

    assert {len(names) for names in listed} == {1}
    assert (await reads(http))["fallback"] > 0


async def openid_token(http: httpx.AsyncClient, person: dict[str, str]) -> str:
    assert await access_token(http, **person)
    form = {"grant_type": "password", "username": person["email"], "password": person["password"]}
    form |= {"scope": "openid profile email", "client_id": "demo-spa"}
    answer = await http.post("/oauth2/token", data=form)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])
