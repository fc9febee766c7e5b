"""`.well-known.example/` shows what the running server answers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from world import World

from idp.domain.operation.signing_keys import ALGORITHMS

EXAMPLES = Path(__file__).parents[3] / ".well-known.example"
EXAMPLE_ISSUER = "http://localhost:8000"


@pytest.mark.parametrize("name", ["openid-configuration", "oauth-authorization-server"])
async def test_the_example_is_what_the_server_answers(world: World, name: str) -> None:
    answer = await world.http.get(f"/.well-known/{name}")

    assert json.loads(answer.text.replace(world.settings.issuer, EXAMPLE_ISSUER)) == example(name)


async def test_the_example_keys_have_the_members_of_real_ones(world: World) -> None:
    await asyncio.to_thread(world.services.keys.provide, ALGORITHMS)
    answered = (await world.http.get("/.well-known/jwks.json")).json()["keys"]
    shown = {key["alg"]: key for key in example("jwks.json")["keys"]}

    assert {key["alg"] for key in answered} == shown.keys() == set(ALGORITHMS)
    for key in answered:
        assert without_numbers(key) == without_numbers(shown[key["alg"]])


def without_numbers(key: dict[str, str]) -> dict[str, str]:
    return {name: "" if name in ("kid", "n", "x", "y") else value for name, value in key.items()}


def example(name: str) -> dict:
    return json.loads((EXAMPLES / name).read_text())
