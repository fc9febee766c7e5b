"""
"Config OP" of the OpenID Foundation's suite, and beyond: discovery tells what works, and nothing works that it does not tell.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import pytest
from conformance.conftest import SCOPE
from hosted import Browser, Party, answer_of, claims_of
from world import Registered, World

from idp.domain.clients.clients import GRANT_TYPES
from idp.domain.tokens.scopes import ACCOUNT, ADMIN


@pytest.fixture
async def metadata(world: World) -> dict[str, Any]:
    answer = await world.http.get("/.well-known/openid-configuration")
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.json())


async def test_discovery_endpoint_verification(world: World, metadata: dict[str, Any]) -> None:
    assert metadata["issuer"] == world.settings.issuer
    for required in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"):
        assert metadata[required].startswith(world.settings.issuer)
    assert "RS256" in metadata["id_token_signing_alg_values_supported"]
    assert "openid" in metadata["scopes_supported"]
    assert metadata["request_uri_parameter_supported"] is False


async def test_every_endpoint_answers(world: World, metadata: dict[str, Any]) -> None:
    endpoints = {name: url for name, url in metadata.items() if name.endswith("_endpoint") or name == "jwks_uri"}

    answers = {name: await reached(world, urlsplit(url).path) for name, url in endpoints.items()}

    assert {name: status for name, status in answers.items() if status in (404, 405) or status >= 500} == {}


async def test_no_endpoint_answers_that_is_not_told(world: World, metadata: dict[str, Any]) -> None:
    told = {urlsplit(str(url)).path for url in metadata.values()}
    known = [
        "authorize",
        "token",
        "userinfo",
        "revoke",
        "introspect",
        "logout",
        "par",
        "register",
        "device_authorization",
    ]
    known += ["ciba", "check_session", "keys", "jwks", "bc-authorize", "tokeninfo"]

    answering = [f"/oauth2/{name}" for name in known if await reached(world, f"/oauth2/{name}") != 404]

    assert set(answering) == {path for path in told if path.startswith("/oauth2/")}


async def test_every_scope_is_granted_and_shares_only_claims_that_are_told(
    world: World, metadata: dict[str, Any]
) -> None:
    party = await Party.registered(world, scope=" ".join(metadata["scopes_supported"]))
    assert set(metadata["scopes_supported"]) == {*SCOPE.split(), ACCOUNT, ADMIN}

    async with Browser(world) as browser:
        tokens = await party.tokens(browser, await world.registered(), scope=" ".join(metadata["scopes_supported"]))
    info = await world.http.get("/oauth2/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})

    assert set(tokens["scope"].split()) == set(metadata["scopes_supported"])
    assert info.json().keys() <= set(metadata["claims_supported"])
    own = {"iss", "aud", "azp", "exp", "iat", "nonce", "at_hash", "acr", "amr", "auth_time", "sid"}
    assert claims_of(tokens["id_token"]).keys() - own <= set(metadata["claims_supported"])


async def test_an_unknown_scope_is_refused(world: World) -> None:
    party = await Party.registered(world)

    async with Browser(world) as browser:
        answer = answer_of(await browser.authorize(party, scope="openid nothing"))

    assert answer["error"] == "invalid_scope"


RESPONSE_TYPES = ["code", "token", "id_token", "code id_token", "code token", "id_token token", "none", "code code"]


async def test_exactly_the_response_types_that_are_told_work(world: World, metadata: dict[str, Any]) -> None:
    party = await Party.registered(world)
    working = []
    async with Browser(world) as browser:
        for response_type in RESPONSE_TYPES:
            page = await browser.authorize(party, response_type=response_type)
            if page.status_code == 200:
                working.append(response_type)
            else:
                assert answer_of(page)["error"] == "unsupported_response_type"

    assert working == metadata["response_types_supported"]


async def test_exactly_the_response_modes_that_are_told_work(world: World, metadata: dict[str, Any]) -> None:
    party = await Party.registered(world)
    working = []
    async with Browser(world) as browser:
        for mode in ("query", "fragment", "form_post", "web_message", "jwt", "query.jwt", "FORM_POST"):
            page = await browser.authorize(party, response_mode=mode)
            working += [mode] if page.status_code == 200 else []

    assert sorted(working) == sorted(metadata["response_modes_supported"])


async def test_exactly_the_challenge_methods_that_are_told_work(world: World, metadata: dict[str, Any]) -> None:
    party = await Party.registered(world)
    working = []
    async with Browser(world) as browser:
        for method in ("S256", "plain", "s256", "S512", None):
            page = await browser.authorize(party, code_challenge_method=method)
            working += [method] if page.status_code == 200 else []

    assert working == metadata["code_challenge_methods_supported"]


async def test_exactly_the_prompts_that_are_told_are_known(world: World, metadata: dict[str, Any]) -> None:
    party = await Party.registered(world)
    known = []
    async with Browser(world) as browser:
        for prompt in ("none", "login", "consent", "select_account", "create", "LOGIN"):
            page = await browser.authorize(party, prompt=prompt)
            if page.status_code == 200 or answer_of(page)["error"] == "login_required":
                known.append(prompt)

    assert sorted(known) == sorted(metadata["prompt_values_supported"])


async def test_exactly_the_grants_that_are_told_are_known(world: World, metadata: dict[str, Any]) -> None:
    client = await world.client(grant_types=GRANT_TYPES, redirect_uris=("https://app.example/callback",))
    known = []
    for grant in (
        *GRANT_TYPES,
        "implicit",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:openid:params:grant-type:ciba",
    ):
        answer = await world.token(client.auth, grant_type=grant)
        known += [] if answer.json().get("error") == "unsupported_grant_type" else [grant]

    assert sorted(known) == sorted(metadata["grant_types_supported"])


async def test_every_signing_algorithm_signs_id_tokens_and_userinfo(world: World, metadata: dict[str, Any]) -> None:
    for algorithm in metadata["id_token_signing_alg_values_supported"]:
        made = await registered_over_http(world, algorithm)
        party = Party(world, made)
        async with Browser(world) as browser:
            tokens = await party.tokens(browser, await world.registered(), scope="openid email")
        info = await world.http.get("/oauth2/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})

        signed = await verified(world, tokens["id_token"], algorithm)
        assert signed["aud"] == made.client_id
        assert info.headers["content-type"] == "application/jwt"
        assert (await verified(world, info.text, algorithm))["sub"] == signed["sub"]


async def test_the_pages_speak_the_languages_that_are_told(world: World, metadata: dict[str, Any]) -> None:
    party = await Party.registered(world)
    async with Browser(world) as browser:
        for locale in metadata["ui_locales_supported"]:
            page = await browser.authorize(party, ui_locales=locale)
            assert f'<html lang="{locale}">' in page.text


async def reached(world: World, path: str) -> int:
    """The status for who asks for nothing in particular: by POST where GET is not taken."""
    answer: httpx.Response = await world.http.get(path)
    return answer.status_code if answer.status_code != 405 else (await world.http.post(path)).status_code


async def registered_over_http(world: World, algorithm: str) -> Registered:
    """As an administrator does it, so that the keys of the algorithm are made too."""
    answer = await world.call(
        "POST",
        "/admin/clients",
        await world.admin(),
        json={
            "name": "Signed",
            "grantTypes": ["authorization_code"],
            "redirectUris": ["https://app.example/callback"],
            "idTokenSignedResponseAlg": algorithm,
            "userinfoSignedResponseAlg": algorithm,
        },
    )
    assert answer.status_code == 201, answer.text
    body = answer.json()
    return Registered(body["clientId"], body["clientSecret"])


async def verified(world: World, token: str, algorithm: str) -> dict[str, Any]:
    keys = jwt.PyJWKSet.from_dict((await world.http.get("/.well-known/jwks.json")).json())
    header = jwt.get_unverified_header(token)
    assert header["alg"] == algorithm
    key = next(key for key in keys.keys if key.key_id == header["kid"])
    return dict(jwt.decode(token, key, [algorithm], options={"verify_aud": False}))
