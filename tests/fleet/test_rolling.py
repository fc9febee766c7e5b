"""
`deploy/rollout` puts releases on a fleet under load: nobody notices, and what is not well goes back by itself.

What runs here is what a pipeline runs; only `--replace` starts a process where a container engine would start a container.
"""

from __future__ import annotations

import asyncio
import time

import pytest
from fleet_load import load
from fleet_nodes import NODES, Fleet

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("fleet")]

CLIENT = {"ROLLOUT_CLIENT_ID": "demo-app"}


def demo_secret(fleet: Fleet) -> str:
    text = (fleet.folder / f"{NODES[0]}.log").read_text()
    return text.partition("demo-app (confidential), secret ")[2][:64]


async def rolled(fleet: Fleet, tag: str, *options: str, user: str) -> tuple[int, str]:
    """Exit status and output of the roll-out."""
    arguments, environment = fleet.command(tag, "--settle", "1", *options)
    account = {"ROLLOUT_USER": user, "ROLLOUT_PASSWORD": "Correct-Horse-7"}
    smoke = CLIENT | {"ROLLOUT_CLIENT_SECRET": demo_secret(fleet)} | account
    process = await asyncio.create_subprocess_exec(
        *arguments, env=environment | smoke, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def releases(fleet: Fleet) -> set[str]:
    import httpx

    async with httpx.AsyncClient() as http:
        answers = [await http.get(f"http://127.0.0.1:{port}/health/detailed") for port in fleet.ports.values()]
    return {answer.json()["release"] for answer in answers}


async def test_a_new_release_and_one_that_is_broken_cost_no_request(fleet: Fleet) -> None:
    fleet.release("2", IDP_BRAND_NAME="The new one")
    fleet.release("3", IDP_BRAND_COLOR="none")  # it refuses to start
    begun = time.monotonic()
    async with load(fleet) as crowd:
        good = await rolled(fleet, "2", "--haproxy", str(fleet.folder / "admin"), user=crowd.people[0].email)
        after_good = await releases(fleet)
        bad = await rolled(fleet, "3", user=crowd.people[0].email)
        after_bad = await releases(fleet)
        seconds = time.monotonic() - begun

    print(f"\nroll-out and roll-back: {crowd.log.told(seconds)}")
    assert good[0] == 0, good[1]
    assert after_good == {"2"}
    assert bad[0] == 1, bad[1]
    assert "back on 2" in bad[1]
    assert after_bad == {"2"}
    assert (crowd.log.first_failed, crowd.log.wrong) == ([], [])
