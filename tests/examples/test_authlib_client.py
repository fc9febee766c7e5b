"""Authlib's own client (AsyncOAuth2Client and its OpenID Connect part), which knows the issuer and nothing else."""

from __future__ import annotations

import time
from typing import Any

import pytest
from authlib.integrations.base_client import BaseApp, OAuthError
from authlib.integrations.base_client.async_app import AsyncOAuth2Mixin
from authlib.integrations.base_client.async_openid import AsyncOpenIDMixin
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT, private_key_jwt_sign
from hosted import CALLBACK, GRANTS, SCOPE, Browser
from joserfc.jwk import JWKRegistry
from world import World

from keys import key_set, new_key

METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
AFTER = "https://app.example/bye"


class Provider(AsyncOAuth2Mixin, AsyncOpenIDMixin, BaseApp):  # type: ignore[misc]
    """As Authlib puts it together for each framework, without a framework."""

    client_cls = AsyncOAuth2Client


class ShortLived(PrivateKeyJWT):  # type: ignore[misc]
    """As docs/clients.md shows it: Authlib's assertions last an hour, ours five minutes at most."""

    def sign(self, auth: Any, token_endpoint: str) -> str:
        claims = {"exp": int(time.time()) + 60}
        signed = private_key_jwt_sign(auth.client_secret, auth.client_id, token_endpoint, alg=self.alg, claims=claims)
        return str(signed)


async def provider_of(world: World, method: str = "client_secret_basic") -> Provider:
    key = new_key("RS256")
    signing = method == "private_key_jwt"
    client = await world.client(
        public=method == "none",
        auth_method=method,
        grant_types=GRANTS,
        redirect_uris=(CALLBACK,),
        post_logout_redirect_uris=(AFTER,),
        first_party=True,
        jwks=key_set(key) if signing else None,
    )
    return Provider(
        None,
        client_id=client.client_id,
        client_secret=JWKRegistry.import_key(key.whole) if signing else client.secret,
        server_metadata_url=f"{world.settings.issuer}/.well-known/openid-configuration",
        client_auth_methods=[ShortLived()] if signing else [],
        client_kwargs={"scope": SCOPE, "code_challenge_method": "S256", "token_endpoint_auth_method": method},
    )


async def signed_in(world: World, provider: Provider, browser: Browser) -> dict[str, Any]:
    started = await provider.create_authorization_url(CALLBACK)
    page = await browser.follow(await browser.get(started["url"]))
    answer = await browser.sign_in(page, await world.registered())
    token = await provider.fetch_access_token(
        CALLBACK, authorization_response=answer.headers["location"], code_verifier=started["code_verifier"]
    )
    claims = await provider.parse_id_token(token, nonce=started["nonce"])
    return {**token, "claims": claims}


@pytest.mark.parametrize("method", METHODS)
async def test_who_signs_in_is_known_to_the_client(world: World, method: str) -> None:
    provider = await provider_of(world, method)

    async with Browser(world) as browser:
        token = await signed_in(world, provider, browser)
    told = await provider.userinfo(token=token)

    assert token["claims"]["sub"] == told["sub"]
    assert told["name"] == "Ada"


@pytest.mark.parametrize("method", METHODS)
async def test_the_client_refreshes_until_the_session_ends(world: World, method: str) -> None:
    provider = await provider_of(world, method)
    async with Browser(world) as browser:
        first = await signed_in(world, provider, browser)
    second = await refreshed(provider, first)
    assert second["refresh_token"] != first["refresh_token"]

    await world.call(
        "POST", "/auth/logout-all", await world.signed_in(email=(await provider.userinfo(token=second))["email"])
    )

    with pytest.raises(OAuthError) as refused:
        await refreshed(provider, second)
    assert refused.value.error == "invalid_grant"


async def refreshed(provider: Provider, token: dict[str, Any]) -> dict[str, Any]:
    return dict(await provider.fetch_access_token(grant_type="refresh_token", refresh_token=token["refresh_token"]))


async def test_a_token_that_has_expired_is_refreshed_by_the_library_itself(world: World) -> None:
    provider = await provider_of(world)
    async with Browser(world) as browser:
        token = await signed_in(world, provider, browser)
    kept: list[dict[str, Any]] = []

    async def keep(new: dict[str, Any], **_: Any) -> None:
        kept.append(new)

    provider._update_token = keep

    told = await provider.userinfo(token={**token, "expires_at": 1})

    assert told["sub"] == token["claims"]["sub"]
    assert kept[0]["refresh_token"] != token["refresh_token"]


async def test_the_library_asks_what_a_token_is_worth_and_revokes_it(world: World) -> None:
    provider = await provider_of(world)
    async with Browser(world) as browser:
        token = await signed_in(world, provider, browser)
    metadata = await provider.load_server_metadata()

    async with AsyncOAuth2Client(provider.client_id, provider.client_secret) as http:
        alive = await http.introspect_token(metadata["introspection_endpoint"], token["access_token"])
        await http.revoke_token(metadata["revocation_endpoint"], token["refresh_token"])
        dead = await http.introspect_token(metadata["introspection_endpoint"], token["refresh_token"])

    assert alive.json()["sub"] == token["claims"]["sub"]
    assert dead.json() == {"active": False}


async def test_who_signs_out_at_the_client_is_signed_out_here(world: World) -> None:
    provider = await provider_of(world)
    async with Browser(world) as browser:
        token = await signed_in(world, provider, browser)

        leaving = await provider.create_logout_url(AFTER, id_token_hint=token["id_token"])
        answer = await browser.follow(await browser.get(leaving["url"]))

    assert answer.headers["location"] == f"{AFTER}?state={leaving['state']}"
    with pytest.raises(OAuthError):
        await refreshed(provider, token)


async def test_an_issuer_with_a_path_is_an_issuer_like_any_other(pathed: World) -> None:
    provider = await provider_of(pathed)

    async with Browser(pathed) as browser:
        token = await signed_in(pathed, provider, browser)
    told = await provider.userinfo(token=await refreshed(provider, token))

    assert token["claims"]["iss"] == pathed.settings.issuer
    assert told["sub"] == token["claims"]["sub"]
