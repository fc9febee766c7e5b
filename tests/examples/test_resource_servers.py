"""Resource servers that know nothing but the issuer, each with a library that we did not write, tell good tokens from bad."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from process import free_port
from running_example import EXAMPLES, example
from world import World

API = "https://api.example"

# One process for all of them: their library caches keys, and one test retires a key of its server.
pytestmark = pytest.mark.xdist_group("examples")

NODE = shutil.which("node") if (EXAMPLES / "node_modules" / "jose").is_dir() else None

PROGRAMS = {
    "pyjwt": [sys.executable, "resource_server_pyjwt.py"],
    "authlib": [sys.executable, "resource_server_authlib.py"],
    "jose": [NODE or "node", "resource_server_jose.mjs"],
}


@pytest.fixture(scope="module", params=PROGRAMS)
async def resource_server(world: World, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    if request.param == "jose" and NODE is None:
        pytest.skip("node or the npm package jose is not installed")
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    async with example(url, *PROGRAMS[request.param], world.settings.issuer, str(port), API):
        yield url


async def asked(url: str, token: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=60, verify=False) as http:
        return await http.get(url, headers={"Authorization": f"Bearer {token}"})


async def test_a_users_access_token_is_good(world: World, resource_server: str) -> None:
    tokens = await world.signed_in(resource=API)

    answer = await asked(resource_server, tokens.access_token)

    assert answer.status_code == 200, answer.text
    assert answer.json()["sub"] == tokens.body["user"]["id"]
    assert answer.json()["roles"] == ["USER"]


async def test_a_refreshed_token_is_good(world: World, resource_server: str) -> None:
    tokens = await world.refreshed(await world.signed_in(await world.client(), resource=API))

    assert (await asked(resource_server, tokens.access_token)).status_code == 200


async def test_a_token_of_a_key_that_came_later_is_good(
    world: World, resource_server: str, request: pytest.FixtureRequest
) -> None:
    """The key that signs is retired; its successor signs at once, and who cached the old set asks again."""
    if "authlib" not in request.node.callspec.id:
        pytest.skip("this library asks again after 30 seconds at the earliest: for it keys are announced ahead")
    before = await world.signed_in(resource=API)
    assert (await asked(resource_server, before.access_token)).status_code == 200
    await asyncio.to_thread(world.services.keys.retire, jwt.get_unverified_header(before.access_token)["kid"])

    after = await world.refreshed(before)

    assert jwt.get_unverified_header(after.access_token)["kid"] != jwt.get_unverified_header(before.access_token)["kid"]
    assert (await asked(resource_server, after.access_token)).status_code == 200
    assert (await asked(resource_server, before.access_token)).status_code == 200


async def test_bad_tokens_are_refused(world: World, resource_server: str) -> None:
    good = (await world.signed_in(resource=API)).access_token
    claims = jwt.decode(good, options={"verify_signature": False})
    header = jwt.get_unverified_header(good)
    stranger = rsa.generate_private_key(65537, 2048)
    forged = jwt.encode(claims, stranger, "RS256", headers={"typ": "at+jwt", "kid": header["kid"]})
    for_another = (await world.signed_in(await world.client(), resource="https://other.example")).access_token
    for_the_issuer = (await world.signed_in()).access_token

    for bad in (forged, good[:-8] + "AAAAAAAA", for_another, for_the_issuer, "nonsense", "a.b.c"):
        assert (await asked(resource_server, bad)).status_code == 401


async def test_an_expired_token_is_refused(world: World, resource_server: str) -> None:
    claims = jwt.decode((await world.signed_in(resource=API)).access_token, options={"verify_signature": False})

    fresh, expired = (signed(world, claims | {"exp": claims["iat"] + lifetime}) for lifetime in (900, -900))

    assert (await asked(resource_server, fresh)).status_code == 200
    assert (await asked(resource_server, expired)).status_code == 401


def signed(world: World, claims: dict[str, Any]) -> str:
    return world.services.keys.sign(json.dumps(claims).encode())
