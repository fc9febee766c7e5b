"""`GET /metrics`: what happened, counted over all workers."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from process import ServerProcess
from prometheus_client.parser import text_string_to_metric_families
from world import PASSWORD, World


class Numbers:
    """One scrape: `numbers("idp_tokens_issued_total", grant="password")` is the sum over all samples that have those labels."""

    def __init__(self, text: str) -> None:
        self._samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def __call__(self, sample: str, /, **labels: str) -> float:
        return sum(one.value for one in self._samples if one.name == sample and labels.items() <= one.labels.items())

    def labels(self, name: str) -> set[str]:
        return {value for one in self._samples for value in one.labels.values() if one.name == name}


async def scrape(world: World) -> Numbers:
    answer = await world.http.get("/metrics")
    assert answer.status_code == 200, answer.text
    return Numbers(answer.text)


async def test_it_is_the_text_format_that_prometheus_reads(world: World) -> None:
    answer = await world.http.get("/metrics")

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert Numbers(answer.text)("idp_build_info") == 1


async def test_a_request_is_counted_under_its_route_and_status(world: World) -> None:
    before = await scrape(world)

    await world.http.get("/auth/profile")
    await world.token(grant_type="password")

    after = await scrape(world)
    for labels in (
        {"method": "GET", "route": "/auth/profile", "status": "401"},
        {"method": "POST", "route": "/oauth2/token", "status": "401"},
    ):
        assert after("idp_http_requests_total", **labels) == before("idp_http_requests_total", **labels) + 1
    counted = "idp_http_request_seconds_count"
    assert after(counted, route="/oauth2/token") == before(counted, route="/oauth2/token") + 1


async def test_what_a_caller_makes_up_becomes_no_label(world: World) -> None:
    await world.http.get("/made-up-path")
    await world.http.get("/auth/profile/made-up-path")
    await world.http.request("MADE-UP", "/auth/profile")

    numbers = await scrape(world)

    labels = numbers.labels("idp_http_requests_total")
    assert not [label for label in labels if "made-up" in label.lower()]
    assert {"other"} <= labels


async def test_a_histogram_has_each_request_in_all_buckets_from_its_own_on(world: World) -> None:
    await world.http.get("/health")

    numbers = await scrape(world)

    name = "idp_http_request_seconds"
    assert numbers(f"{name}_bucket", route="/health", le="+Inf") == numbers(f"{name}_count", route="/health") > 0
    assert numbers(f"{name}_bucket", route="/health", le="0.001") <= numbers(
        f"{name}_bucket", route="/health", le="5.0"
    )
    assert numbers(f"{name}_sum", route="/health") > 0


async def test_tokens_are_counted_by_grant_at_either_door(world: World) -> None:
    client = await world.client()
    before = await scrape(world)

    tokens = await world.signed_in(client)
    await world.refreshed(tokens)
    rest = await world.signed_in()
    await world.post("/auth/refresh", refreshToken=rest.refresh_token)
    await world.token(client.auth, grant_type="client_credentials")
    await world.token(client.auth, grant_type="password", username="nobody@example.com", password=PASSWORD)

    after = await scrape(world)
    issued = "idp_tokens_issued_total"
    assert after(issued, grant="password") == before(issued, grant="password") + 2
    assert after(issued, grant="refresh_token") == before(issued, grant="refresh_token") + 2
    assert after(issued, grant="client_credentials") == before(issued, grant="client_credentials") + 1


async def test_what_became_of_refresh_tokens_is_counted(world: World) -> None:
    first = await world.signed_in(await world.client())
    other = await world.client()
    before = await scrape(world)

    second = await world.refreshed(first)
    await world.refreshed(first)
    await world.refresh(type(first)(**{**vars(second), "client_id": other.client_id, "client_secret": other.secret}))
    await world.cache.delete(world.family_key(second))
    third = await world.refreshed(second)
    await world.refreshed(third)
    await world.refresh(first)
    await world.refresh(third)
    await world.refresh(type(first)("", "idp_rt_forged", first.client_id, first.client_secret))

    after = await scrape(world)
    grown = {
        outcome: after("idp_refresh_outcomes_total", outcome=outcome)
        - before("idp_refresh_outcomes_total", outcome=outcome)
        for outcome in ("OK", "REISSUE", "REBUILT", "CLIENT", "REUSE", "REVOKED", "INVALID")
    }
    assert grown == {"OK": 2, "REISSUE": 1, "REBUILT": 1, "CLIENT": 1, "REUSE": 1, "REVOKED": 1, "INVALID": 1}
    assert after("idp_redis_misses_total") == before("idp_redis_misses_total") + 1
    assert after("idp_redis_hits_total") > before("idp_redis_hits_total")


async def test_sign_ins_are_counted_by_what_became_of_them(world: World) -> None:
    email = await world.registered()
    before = await scrape(world)

    await world.post("/auth/login", email=email, password=PASSWORD)
    await world.post("/auth/login", email=email, password="Wrong-Horse-7")
    await world.post("/auth/login", email=world.new_email(), password=PASSWORD)

    after = await scrape(world)
    for result in ("success", "wrong_password", "unknown_address"):
        assert after("idp_sign_ins_total", result=result) == before("idp_sign_ins_total", result=result) + 1
    assert after("idp_password_hash_seconds_count") == before("idp_password_hash_seconds_count") + 3
    assert after("idp_audit_events_total", name="sign_in_failed") == (
        before("idp_audit_events_total", name="sign_in_failed") + 2
    )


async def test_the_stores_are_measured(world: World) -> None:
    before = await scrape(world)

    await world.refreshed(await world.signed_in(await world.client()))

    after = await scrape(world)
    for name in ("idp_postgres_query_seconds_count", "idp_redis_call_seconds_count", "idp_client_cache_total"):
        assert after(name) > before(name)
    assert after("idp_postgres_pool", state="max") == world.settings.database_pool - 1
    assert after("idp_postgres_pool", state="size") >= 1


async def test_the_age_of_the_signing_key_grows_from_its_making(world: World) -> None:
    made = min(key.created_at for key in world.services.keys.list())

    age = (await scrape(world))("idp_signing_key_age_seconds")

    assert 0 < age < 3600
    assert made is not None


async def test_no_scrape_tells_who(world: World) -> None:
    tokens = await world.signed_in(await world.client())
    session = await world.session(tokens)

    text = (await world.http.get("/metrics")).text

    for secret in (tokens.email, tokens.access_token, tokens.refresh_token, tokens.client_id, str(session["user_id"])):
        assert secret not in text


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("two"), IDP_WORKERS="2") as server:
        yield server


def metrics_folder(server: ServerProcess) -> Path:
    [folder] = (server.folder / "data").glob("idp-metrics-*")
    return folder


def workers_of(server: ServerProcess) -> set[int]:
    return {int(file.stem.rpartition("_")[2]) for file in metrics_folder(server).glob("gauge_livesum_*.db")}


def eventually(server: ServerProcess, sample: str, /, expected: float, **labels: str) -> float:
    """The number once it is as expected, or what it is after a while: the other worker may be a second behind."""
    end = time.monotonic() + 120
    while True:
        number = Numbers(httpx.get(f"{server.url}/metrics", timeout=60, verify=False).text)(sample, **labels)
        if number == expected or time.monotonic() > end:
            return number
        time.sleep(0.1)


async def posts(server: ServerProcess, count: int) -> int:
    """*count* requests, each on a connection of its own, so that both workers get some."""
    limits = httpx.Limits(max_keepalive_connections=0, max_connections=20)
    async with httpx.AsyncClient(base_url=server.url, timeout=30, limits=limits, verify=False) as http:
        answers = await asyncio.gather(*(http.post("/oauth2/token", data={"grant_type": "none"}) for _ in range(count)))
    return len(answers)


@pytest.mark.isolated
@pytest.mark.xdist_group("metrics")
async def test_the_counts_of_two_workers_add_up(two_workers: ServerProcess) -> None:
    sent = await posts(two_workers, 300)

    assert eventually(two_workers, "idp_http_requests_total", sent, route="/oauth2/token") == sent
    assert eventually(two_workers, "idp_http_request_seconds_count", sent, route="/oauth2/token") == sent
    assert len(workers_of(two_workers)) == 2


@pytest.mark.isolated
@pytest.mark.xdist_group("metrics")
async def test_a_worker_that_was_killed_is_counted_on_but_holds_nothing_any_more(two_workers: ServerProcess) -> None:
    sent = await posts(two_workers, 100)
    total = eventually(two_workers, "idp_http_requests_total", 300 + sent, route="/oauth2/token")
    one = max(workers_of(two_workers))

    os.kill(one, signal.SIGKILL)

    end = time.monotonic() + 120
    while (one in workers_of(two_workers) or len(workers_of(two_workers)) < 2) and time.monotonic() < end:
        time.sleep(0.1)
    assert one not in workers_of(two_workers)
    assert eventually(two_workers, "idp_http_requests_total", total, route="/oauth2/token") == total
    assert eventually(two_workers, "idp_postgres_pool", 18, state="max") == 18


@pytest.mark.isolated
@pytest.mark.xdist_group("metrics")
def test_nothing_is_left_of_it_when_the_server_has_stopped(two_workers: ServerProcess) -> None:
    folder = metrics_folder(two_workers)

    two_workers.stop()

    assert not folder.exists()
