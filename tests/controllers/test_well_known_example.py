"""`.well-known.example/` shows what the running server answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from world import World

EXAMPLES = Path(__file__).parents[2] / ".well-known.example"
EXAMPLE_ISSUER = "http://localhost:8000"


@pytest.mark.parametrize("name", ["openid-configuration", "oauth-authorization-server"])
async def test_the_example_is_what_the_server_answers(world: World, name: str) -> None:
    answer = await world.http.get(f"/.well-known/{name}")

    assert json.loads(answer.text.replace(world.settings.issuer, EXAMPLE_ISSUER)) == example(name)


async def test_the_example_keys_have_the_members_of_real_ones(world: World) -> None:
    (shown,) = example("jwks.json")["keys"]
    answered = (await world.http.get("/.well-known/jwks.json")).json()["keys"]

    assert answered
    for key in answered:
        assert set(key) == set(shown)
        assert {**key, "kid": "", "n": ""} == {**shown, "kid": "", "n": ""}


def example(name: str) -> dict:
    return json.loads((EXAMPLES / name).read_text())
