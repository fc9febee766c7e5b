"""Clients that prove themselves by a key (CA11; RFC 7523, OpenID Connect Core, section 9)."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx
import jwt
import pytest
from signing_clients import JWT_BEARER, Service, asked, service
from test_client_authentication import basic, refused
from world import World

from keys import OF_ALGORITHM, key_set, new_key

client = pytest.fixture(service)


@pytest.mark.parametrize("algorithm", OF_ALGORITHM)
async def test_a_client_proves_itself_by_its_key(world: World, algorithm: str) -> None:
    """Trap 11: stock Authlib refuses PS256 and EdDSA."""
    client = await service(world, algorithm)

    answer = await asked(world, client.signed())

    assert answer.status_code == 200, answer.text
    assert jwt.decode(answer.json()["access_token"], options={"verify_signature": False})["sub"] == client.client_id


async def test_it_works_for_every_grant(world: World, client: Service) -> None:
    email = await world.registered()
    user = {"grant_type": "password", "username": email, "password": "Correct-Horse-7"}

    signed_in = await asked(world, client.signed(), **user)
    renewed = {"grant_type": "refresh_token", "refresh_token": signed_in.json()["refresh_token"]}
    refreshed = await asked(world, client.signed(), **renewed)

    assert (signed_in.status_code, refreshed.status_code) == (200, 200)


@pytest.mark.parametrize("path", ["", "/oauth2/token"])
@pytest.mark.parametrize("listed", [False, True])
async def test_it_is_addressed_to_the_issuer_or_the_token_endpoint(
    world: World, client: Service, path: str, listed: bool
) -> None:
    audience = world.settings.issuer + path

    answer = await asked(world, client.signed(client.claims(aud=[audience] if listed else audience)))

    assert answer.status_code == 200


async def test_the_client_id_may_be_said_twice(world: World, client: Service) -> None:
    assert (await asked(world, client.signed(), client_id=client.client_id)).status_code == 200


@pytest.mark.parametrize("header", [{"kid": ...}, {"typ": ...}, {"typ": "client-authentication+jwt"}, {"x": "y"}])
async def test_a_header_says_little_and_may_say_less(world: World, client: Service, header: dict[str, Any]) -> None:
    assert (await asked(world, client.signed(**header))).status_code == 200


async def test_of_several_keys_the_one_that_is_named_or_any_fitting_one_counts(world: World, client: Service) -> None:
    other = new_key("ES256")
    listed = await service(world, jwks=key_set(new_key("RS256"), other, client.key))
    listed.key = client.key

    named = await asked(world, listed.signed())
    unnamed = await asked(world, listed.signed(kid=...))

    assert (named.status_code, unnamed.status_code) == (200, 200)
    assert refused(await asked(world, listed.signed(kid=other.kid)))


# Use once.


async def test_an_assertion_is_used_once(world: World, client: Service) -> None:
    """CA11; fosite CVE-2020-15222."""
    assertion = client.signed()

    first = await asked(world, assertion)

    assert first.status_code == 200
    assert refused(await asked(world, assertion))
    # Signed again it is another text, and the same assertion.
    claims = client.claims()
    assert (await asked(world, client.signed(claims))).status_code == 200
    assert refused(await asked(world, client.signed(claims | {"exp": claims["exp"] + 1})))


async def test_of_fifty_uses_at_once_one_wins(world: World, client: Service) -> None:
    """CA11."""
    assertion = client.signed()

    answers = await asyncio.gather(*(asked(world, assertion) for _ in range(50)))

    assert sorted(answer.status_code for answer in answers) == [200, *[401] * 49]


async def test_two_clients_may_choose_the_same_jti(world: World, client: Service) -> None:
    other = await service(world)

    answers = [await asked(world, it.signed(it.claims(jti="1"))) for it in (client, other)]

    assert [answer.status_code for answer in answers] == [200, 200]


async def test_what_was_used_is_forgotten_soon_after_it_has_expired(world: World, client: Service) -> None:
    before = set(await world.cache.keys("ca:*"))
    await asked(world, client.signed(client.claims(exp=int(time.time()) + 300)))

    made = set(await world.cache.keys("ca:*")) - before

    assert made
    assert all([300_000 < await world.cache.pttl(name) <= 360_000 for name in made])


async def test_a_refused_assertion_is_not_used_up(world: World, client: Service) -> None:
    """Nobody can use up what he cannot sign."""
    claims = client.claims()
    forged = client.raw(json.dumps(claims).encode(), key=new_key("ES256").private)

    assert refused(await asked(world, forged))
    assert (await asked(world, client.signed(claims))).status_code == 200


# What else a client may and may not do.


@pytest.mark.parametrize(
    "kind", ["", "x", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", JWT_BEARER.upper(), JWT_BEARER + "\n"]
)
async def test_there_is_one_type_of_assertion(world: World, client: Service, kind: str) -> None:
    assert refused(await asked(world, client.signed(), client_assertion_type=kind))


async def test_half_of_it_is_nothing(world: World, client: Service) -> None:
    bare = {"grant_type": "client_credentials", "client_id": client.client_id}

    assert refused(await world.token(**bare, client_assertion=client.signed()))
    assert refused(await world.token(**bare, client_assertion_type=JWT_BEARER))
    assert refused(await world.token(**bare))


async def test_two_methods_at_once_are_refused(world: World, client: Service) -> None:
    """CA3."""
    presented = {"client_assertion_type": JWT_BEARER, "client_assertion": client.signed()}
    header = {"Authorization": basic(f"{client.client_id}:x")}
    grant = {"grant_type": "client_credentials"}

    in_form = await world.token(**grant, **presented, client_secret="x")
    in_header = await world.http.post("/oauth2/token", data=grant | presented, headers=header)

    for answer in (in_form, in_header):
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_the_form_names_no_other_client(world: World, client: Service) -> None:
    """CA5."""
    other = await service(world)

    assert refused(await asked(world, client.signed(), client_id=other.client_id))


@pytest.mark.parametrize("method", [None, "client_secret_basic", "client_secret_post", "none"])
async def test_a_client_registered_for_something_else_cannot_use_its_keys(world: World, method: str | None) -> None:
    """CA4."""
    client = await service(world, auth_method=method)

    assert refused(await asked(world, client.signed()))


async def test_a_client_with_a_key_cannot_use_a_secret(world: World) -> None:
    """CA4."""
    key = new_key()
    client = await world.client(auth_method="private_key_jwt", jwks=key_set(key))

    assert refused(await world.token(client.auth, grant_type="client_credentials"))
    form = {"client_id": client.client_id, "client_secret": client.secret or ""}
    assert refused(await world.token(grant_type="client_credentials", **form))


@pytest.mark.parametrize("properties", [{"enabled": False}, {"jwks": None}, {"jwks": {"keys": []}}])
async def test_a_client_that_is_disabled_or_has_no_key_gets_nothing(world: World, properties: dict[str, Any]) -> None:
    """CA10."""
    client = await service(world, **properties)

    assert refused(await asked(world, client.signed()))


async def test_changing_to_a_key_ends_the_secret_and_back_makes_a_new_one(world: World) -> None:
    admin, key = await world.admin(), new_key()
    made = await world.call("POST", "/admin/clients", admin, json={"name": "S", "grantTypes": ["client_credentials"]})
    path, secret = f"/admin/clients/{made.json()['clientId']}", made.json()["clientSecret"]

    to_key = {"tokenEndpointAuthMethod": "private_key_jwt", "jwks": key_set(key)}
    changed = await world.call("PUT", path, admin, json=to_key)
    rotated = await world.call("POST", f"{path}/secret", admin)
    back = await world.call("PUT", path, admin, json={"tokenEndpointAuthMethod": "client_secret_basic"})

    assert (changed.json()["clientSecret"], rotated.status_code) == (None, 409)
    assert refused(await world.token(httpx.BasicAuth(made.json()["clientId"], secret), grant_type="client_credentials"))
    renewed = httpx.BasicAuth(made.json()["clientId"], back.json()["clientSecret"])
    assert (await world.token(renewed, grant_type="client_credentials")).status_code == 200
