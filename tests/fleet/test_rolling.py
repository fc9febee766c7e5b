"""
`deploy/rollout` puts releases on a fleet under load: nobody notices, and what is not well goes back by itself.

What runs here is what a pipeline runs; only `--replace` starts a process where a container engine would start a container.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
import time

import asyncpg
import httpx
import pytest
from fleet_load import PASSWORD, load
from fleet_nodes import Fleet
from next_releases import contracting, expanding, without_use

from idp.database import migration
from idp.database.servers import credentials

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("fleet")]

GRANTS = ("client_credentials", "password", "refresh_token")


def client_for_smoke_tests(fleet: Fleet) -> tuple[str, str]:
    """Id and secret, made as an operator makes it: that of the demo would change with IDP_SECRET."""
    name = f"roll-out-{secrets.token_hex(4)}"
    grants = [word for grant in GRANTS for word in ("--grant", grant)]
    command = [sys.executable, "-m", "idp", "clients", "create", "--id", name, "--name", "Roll-out", *grants]
    done = subprocess.run(
        [*command, "--format", "json"], env=fleet.environment, capture_output=True, timeout=120, check=True
    )
    return name, json.loads(done.stdout)["client_secret"]


async def rolled(fleet: Fleet, tag: str, *options: str, user: str) -> tuple[int, str]:
    """Exit status and output of the roll-out."""
    arguments, environment = fleet.command(tag, "--settle", "1", *options)
    client, secret = client_for_smoke_tests(fleet)
    given = {
        "ROLLOUT_CLIENT_ID": client,
        "ROLLOUT_CLIENT_SECRET": secret,
        "ROLLOUT_USER": user,
        "ROLLOUT_PASSWORD": PASSWORD,
    }
    process = await asyncio.create_subprocess_exec(
        *arguments, env=environment | given, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert not any(secret in output.decode() for secret in (secret, PASSWORD))
    return process.returncode or 0, output.decode()


async def releases(fleet: Fleet) -> list[str]:
    async with httpx.AsyncClient(timeout=60, verify=False) as http:
        answers = [await http.get(f"http://127.0.0.1:{port}/health/detailed") for port in fleet.ports.values()]
    return [answer.json()["release"] for answer in answers]


async def columns(fleet: Fleet) -> list[str]:
    database = await asyncpg.connect(**credentials(fleet.urls.migration))
    rows = await database.fetch("SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'users'")
    await database.close()
    return [row["name"] for row in rows]


async def steps(fleet: Fleet) -> list[str]:
    database = await asyncpg.connect(**credentials(fleet.urls.migration))
    found = await migration._applied(database)
    await database.close()
    return found


async def test_a_new_release_with_its_steps_and_one_that_is_broken_cost_no_request(fleet: Fleet) -> None:
    """Release 1 and the next one run side by side on the wider schema, and 1 came before it."""
    added = expanding(fleet)
    fleet.release("2", fleet.folder / "expand")
    fleet.release("3", fleet.folder / "expand", IDP_BRAND_COLOR="none")  # it refuses to start
    begun = time.monotonic()
    async with load(fleet) as crowd:
        user = crowd.people[0].email
        good = await rolled(fleet, "2", "--haproxy", str(fleet.folder / "admin"), user=user)
        assert good[0] == 0, good[1]
        after_good = await releases(fleet)
        bad = await rolled(fleet, "3", user=user)
        after_bad = await releases(fleet)
        seconds = time.monotonic() - begun

    print(f"\nroll-out with expanding steps, and roll-back: {crowd.log.told(seconds)}")
    assert set(added) <= set(await steps(fleet))
    assert after_good == ["2", "2"]
    assert bad[0] == 1, bad[1]
    assert "back on 2" in bad[1]
    assert after_bad == ["2", "2"]
    assert (crowd.log.first_failed, crowd.log.wrong) == ([], [])


@pytest.mark.soak
async def test_releases_that_are_never_ready_or_lose_sessions_go_back_before_anybody_meets_them(fleet: Fleet) -> None:
    fleet.release("4", IDP_REDIS_URL="redis://127.0.0.1:1")
    fleet.release("5", IDP_SECRET="another secret that reads the token of nobody")
    admin = ("--haproxy", str(fleet.folder / "admin"))
    before = await releases(fleet)
    begun = time.monotonic()
    async with load(fleet) as crowd:
        user = crowd.people[0].email
        never_ready = await rolled(fleet, "4", *admin, "--ready-within", "15", user=user)
        loses_sessions = await rolled(fleet, "5", *admin, user=user)
        seconds = time.monotonic() - begun

    print(f"\ntwo broken releases: {crowd.log.told(seconds)}")
    assert (never_ready[0], loses_sessions[0]) == (1, 1), never_ready[1] + loses_sessions[1]
    assert "invalid_grant" in loses_sessions[1]
    assert await releases(fleet) == before
    assert (crowd.log.first_failed, crowd.log.wrong) == ([], [])


@pytest.mark.soak
async def test_a_column_comes_and_goes_in_three_releases_under_load() -> None:
    with Fleet() as fleet:
        expanding(fleet), without_use(fleet)
        gone = contracting(fleet)
        for tag, tree in (("2", "expand"), ("3", "settle"), ("4", "contract")):
            fleet.release(tag, fleet.folder / tree)
        begun, seen = time.monotonic(), []
        async with load(fleet) as crowd:
            for tag in ("2", "3", "4"):
                status, output = await rolled(fleet, tag, user=crowd.people[0].email)
                assert status == 0, output
                seen.append("nickname" in await columns(fleet))
            seconds = time.monotonic() - begun

        print(f"\nexpand, settle, contract: {crowd.log.told(seconds)}")
        assert seen == [True, True, False]
        assert gone[-1] in await steps(fleet)
        assert (crowd.log.first_failed, crowd.log.wrong) == ([], [])
