"""Clients that look after their registration (RFC 7592)."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import httpx
import pytest
from registrations import DEFAULTS, PATH, TOKEN, WEB, Door, is_refused, is_unauthorized
from world import PASSWORD, World


async def test_a_replacement_leaves_nothing_of_what_was(door: Door) -> None:
    made = await door.registered(client_name="First", logo_uri="https://rp.example/logo", require_pkce=False)

    answer = await door.manage("PUT", made, WEB | {"client_id": made["client_id"], "scope": "openid"})

    assert answer.status_code == 200
    assert answer.json().items() >= (DEFAULTS | {"scope": "openid", "client_name": made["client_id"]}).items()
    assert "logo_uri" not in answer.json()
    assert answer.json()["registration_access_token"] == made["registration_access_token"]
    read = await door.manage("GET", made)
    assert read.json() == answer.json()


async def test_the_secret_stays_until_the_method_changes(world: World, door: Door) -> None:
    made = await door.registered()
    mine = WEB | {"client_id": made["client_id"]}

    same = await door.manage("PUT", made, mine | {"client_secret": made["client_secret"]})
    public = await door.manage("PUT", made, mine | {"token_endpoint_auth_method": "none"})
    back = await door.manage("PUT", made, mine | {"token_endpoint_auth_method": "client_secret_post"})

    assert [("client_secret" in answer.json()) for answer in (same, public, back)] == [False, False, True]
    assert back.json()["client_secret"] != made["client_secret"]
    assert back.json()["client_secret_expires_at"] == 0


@pytest.mark.parametrize(
    "wrong", [{"client_id": "other"}, {"client_id": None}, {"client_secret": "other"}, {"client_id": 5}]
)
async def test_a_replacement_is_of_the_client_that_it_names(door: Door, wrong: dict[str, Any]) -> None:
    """RFC 7592, section 2.2."""
    made = await door.registered()

    assert is_refused(await door.manage("PUT", made, WEB | {"client_id": made["client_id"]} | wrong))


async def test_a_replacement_follows_the_same_rules(door: Door) -> None:
    """RU4."""
    made = await door.registered()
    mine = WEB | {"client_id": made["client_id"]}

    assert is_refused(
        await door.manage("PUT", made, mine | {"redirect_uris": ["javascript:x"]}), "invalid_redirect_uri"
    )
    assert is_refused(await door.manage("PUT", made, mine | {"grant_types": ["password"]}))
    assert is_refused(await door.manage("PUT", made, {"redirect_uris": WEB["redirect_uris"]}))


async def test_deleting_ends_the_sessions_and_the_token(world: World, door: Door) -> None:
    made = await door.registered(grant_types=["authorization_code", "refresh_token"])
    await world.database.execute(
        "UPDATE clients SET grant_types = '{password,refresh_token}' WHERE client_id = $1", made["client_id"]
    )
    auth = httpx.BasicAuth(made["client_id"], made["client_secret"])
    user = {"grant_type": "password", "username": await world.registered(), "password": PASSWORD}
    tokens = (await world.token(auth, **user)).json()

    answer = await door.manage("DELETE", made)

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await world.profile(tokens["access_token"])).status_code == 401
    for method, body in (("GET", None), ("PUT", WEB | {"client_id": made["client_id"]}), ("DELETE", None)):
        assert is_unauthorized(await door.manage(method, made, body))


async def test_a_registration_is_managed_by_its_own_token_only(world: World, door: Door) -> None:
    """AD3."""
    mine, other = await door.registered(), await door.registered()
    plain = await world.client()
    body = WEB | {"client_id": mine["client_id"]}
    tokens = (other["registration_access_token"], TOKEN, mine["client_secret"], mine["registration_access_token"][:-1])

    for token in tokens:
        for method in ("GET", "PUT", "DELETE"):
            assert is_unauthorized(await door.manage(method, mine, body if method == "PUT" else None, token=token))
    for client_id in (plain.client_id, "idp-rest", secrets.token_hex(12), "x" * 5000, "%FF", "%C3%A9"):
        assert is_unauthorized(await door.call("GET", f"{PATH}/{client_id}", tokens[0]))
    assert (await door.manage("GET", mine)).status_code == 200


async def test_a_client_that_the_operator_disabled_cannot_change_itself(world: World, door: Door) -> None:
    """CA10."""
    made = await door.registered()
    await world.database.execute("UPDATE clients SET enabled = false WHERE client_id = $1", made["client_id"])

    assert is_unauthorized(await door.manage("GET", made))
    assert is_unauthorized(await door.manage("DELETE", made))


async def test_changes_at_once_are_none_of_them_an_error(door: Door) -> None:
    made = await door.registered()
    mine = WEB | {"client_id": made["client_id"]}

    calls = [door.manage("PUT", made, mine | {"client_name": f"N{number}"}) for number in range(10)]
    answers = await asyncio.gather(
        *calls, door.manage("DELETE", made), *(door.manage("DELETE", made) for _ in range(3))
    )

    assert {answer.status_code for answer in answers} <= {200, 204, 401, 429}
    assert [answer.status_code for answer in answers].count(204) == 1
    assert is_unauthorized(await door.manage("GET", made))
