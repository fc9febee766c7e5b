"""What an access token says, as a resource server that checks its signature reads it (RFC 9068)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from uuid import UUID

import jwt
import pytest
from world import SCOPE, Registered, Tokens, World

RESOURCE = "https://api.example/v1"
OF_A_CLIENT = {"iss", "sub", "aud", "client_id", "iat", "exp", "jti", "scope", "roles"}
OF_A_USER = OF_A_CLIENT | {"sid", "auth_time"}


async def claims_of(world: World, access_token: str, audience: str | None = None) -> dict[str, Any]:
    keys = (await world.http.get("/.well-known/jwks.json")).json()
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(access_token)["kid"]]
    issuer = world.settings.issuer
    return dict(jwt.decode(access_token, key, ["RS256"], audience=audience or issuer, issuer=issuer))


async def client_token(world: World, client: Registered, **fields: str) -> str:
    answer = await world.token(client.auth, grant_type="client_credentials", **fields)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def test_a_user_token_says_who_through_what_and_since_when(world: World) -> None:
    """JW10, JW13, JW23. Trap 17: its life is the one that the answer tells."""
    tokens = await world.signed_in(await world.client())

    claims = await claims_of(world, tokens.access_token)

    session = await world.session(tokens)
    assert set(claims) == OF_A_USER
    assert UUID(claims["sub"]) == session["user_id"]
    assert (claims["sid"], claims["client_id"]) == (str(session["id"]), tokens.client_id)
    assert (claims["aud"], claims["scope"], claims["roles"]) == (world.settings.issuer, SCOPE, ["USER"])
    assert claims["auth_time"] == int(session["auth_time"].timestamp())
    assert claims["exp"] - claims["iat"] == tokens.body["expires_in"] == 900


async def test_a_client_token_says_the_client(world: World) -> None:
    """TE15: nothing of a user."""
    client = await world.client()

    claims = await claims_of(world, await client_token(world, client))

    assert set(claims) == OF_A_CLIENT
    assert claims["sub"] == claims["client_id"] == client.client_id
    assert (claims["aud"], claims["scope"], claims["roles"]) == (world.settings.issuer, SCOPE, [])


async def test_the_header_names_algorithm_type_and_key_and_nothing_else(world: World) -> None:
    """JW9, RFC 9068, section 2.1."""
    header = jwt.get_unverified_header((await world.signed_in()).access_token)

    assert (header.pop("alg"), header.pop("typ")) == ("RS256", "at+jwt")
    assert re.fullmatch(r"[\w-]{10,64}", header.pop("kid"))
    assert not header


async def test_no_two_tokens_have_the_same_id(world: World) -> None:
    client = await world.client()

    ids = {(await claims_of(world, await client_token(world, client)))["jti"] for _ in range(5)}

    assert len(ids) == 5
    assert all(len(one) >= 22 for one in ids)  # 128 bits in base64url


async def test_both_doors_sign_the_same_kind_of_token(world: World) -> None:
    """PW20."""
    email = await world.registered()
    rest = await world.signed_in(email=email)
    grant = await world.signed_in(await world.client(), email=email)

    of_rest, of_grant = [await claims_of(world, tokens.access_token) for tokens in (rest, grant)]

    assert set(of_rest) == set(of_grant) == OF_A_USER
    assert of_rest["sub"] == of_grant["sub"]
    assert of_rest["sid"] != of_grant["sid"]


async def test_a_requested_resource_becomes_the_audience_and_stays_it(world: World) -> None:
    """RFC 8707: at sign-in, at each refresh, and not at the issuer itself."""
    tokens = await world.signed_in(await world.client(), resource=RESOURCE)
    refreshed = await world.refreshed(tokens)

    for token in (tokens.access_token, refreshed.access_token):
        assert (await claims_of(world, token, RESOURCE))["aud"] == RESOURCE
        assert (await world.profile(token)).status_code == 401


async def test_a_sign_in_over_rest_may_be_for_a_resource(world: World) -> None:
    """AZ30, AD15: and stays so, through refreshes at both doors."""
    tokens = await world.signed_in(resource=RESOURCE)
    rest = (await world.post("/auth/refresh", refreshToken=tokens.refresh_token)).json()
    refreshed = await world.refreshed(replace(tokens, refresh_token=rest["refreshToken"]))

    for token in (tokens.access_token, rest["accessToken"], refreshed.access_token):
        assert (await claims_of(world, token, RESOURCE))["aud"] == RESOURCE
        assert (await world.profile(token)).status_code == 401
    other = await world.refresh(refreshed, resource="https://other.example")
    assert (other.status_code, other.json()["error"]) == (400, "invalid_target")


async def test_a_session_without_a_resource_may_name_one_at_a_refresh(world: World) -> None:
    tokens = await world.signed_in(await world.client())

    narrowed = await world.refreshed(tokens, resource=RESOURCE)

    assert (await claims_of(world, narrowed.access_token, RESOURCE))["aud"] == RESOURCE
    plain = await world.refreshed(narrowed)
    assert (await claims_of(world, plain.access_token))["aud"] == world.settings.issuer


async def test_a_client_token_may_be_for_a_resource(world: World) -> None:
    token = await client_token(world, await world.client(), resource=RESOURCE)

    assert (await claims_of(world, token, RESOURCE))["aud"] == RESOURCE


@pytest.mark.parametrize(
    "resource", ["api", "/v1", "https://api.example/#x", "https://api.example/ö", "http://[", "a b:c"]
)
async def test_a_resource_is_an_absolute_uri(world: World, resource: str) -> None:
    client = await world.client()

    answer = await world.token(client.auth, grant_type="client_credentials", resource=resource)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")


@pytest.mark.parametrize("resource", ["", "api", "https://api.example/#x", [RESOURCE], RESOURCE + "x" * 2000])
async def test_no_sign_in_over_rest_is_for_what_is_no_resource(world: World, resource: object) -> None:
    """The same rules as at the token endpoint, in the form that errors have here; nobody's password is looked at."""
    answer = await world.post("/auth/login", email=world.new_email(), password="x", resource=resource)

    assert (answer.status_code, answer.json()["error"]) == (400, "validation_failed")
    assert [fault["field"] for fault in answer.json()["errors"]] == ["resource"]


@pytest.mark.parametrize("resource", [RESOURCE + "/", "https://API.example/v1", "https://other.example"])
async def test_a_client_with_a_list_of_resources_asks_for_those_only(world: World, resource: str) -> None:
    client = await world.client(resources=(RESOURCE,))

    answer = await world.token(client.auth, grant_type="client_credentials", resource=resource)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")
    await client_token(world, client, resource=RESOURCE)


async def test_a_refresh_cannot_turn_to_another_resource(world: World) -> None:
    """AZ30. And the family lives on."""
    tokens = await world.signed_in(await world.client(), resource=RESOURCE)

    answer = await world.refresh(tokens, resource="https://other.example")

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")
    assert (await world.refresh(tokens)).status_code == 200


async def test_changed_roles_stand_in_the_next_token(world: World) -> None:
    """AD5: roles are read at each refresh."""
    tokens = await world.signed_in(await world.client())
    user_id = (await world.session(tokens))["user_id"]

    await world.database.execute("UPDATE users SET roles = '{ADMIN,USER}' WHERE id = $1", user_id)
    promoted = await world.refreshed(tokens)
    await world.database.execute("UPDATE users SET roles = '{USER}' WHERE id = $1", user_id)
    demoted = await world.refreshed(promoted)

    assert (await claims_of(world, promoted.access_token))["roles"] == ["ADMIN", "USER"]
    assert (await claims_of(world, demoted.access_token))["roles"] == ["USER"]


async def test_a_refresh_keeps_subject_session_and_time_of_sign_in(world: World) -> None:
    first = await world.signed_in(await world.client())

    second = await world.refreshed(first)

    before, after = [await claims_of(world, tokens.access_token) for tokens in (first, second)]
    assert {name: before[name] for name in ("sub", "sid", "auth_time", "client_id")} == {
        name: after[name] for name in ("sub", "sid", "auth_time", "client_id")
    }
    assert before["jti"] != after["jti"]


async def test_a_session_that_cannot_be_refreshed_ends_with_its_access_token(world: World) -> None:
    """Trap 8: no refresh token was given, so nothing lives longer than the access token."""
    tokens: Tokens = await world.signed_in(await world.client(grant_types=("password",)))
    sid = (await claims_of(world, tokens.access_token))["sid"]

    lifetime = await world.database.fetchval("SELECT expires_at - created_at FROM sessions WHERE id = $1", UUID(sid))

    assert lifetime.total_seconds() == 900
