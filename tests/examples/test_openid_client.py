"""openid-client (npm), as its users have it, signs people in with nothing but the issuer and what we registered for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hosted import CALLBACK, GRANTS, SCOPE, Browser, form_of
from node_party import Failed, NodeParty, needs, node_party
from world import World

from keys import key_set, new_key

METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")


@pytest.fixture
async def library() -> AsyncIterator[NodeParty]:
    needs("openid-client", "jose")
    async with node_party("openid_client.mjs") as party:
        yield party


@dataclass
class Relying:
    """The library, knowing issuer and client; and the browser of who signs in there."""

    world: World
    library: NodeParty
    browser: Browser
    metadata: dict[str, Any]

    async def led(self, **parameters: Any) -> Any:
        """The last answer of ours, once who was sent here by the library has signed in and allowed it."""
        given = {"redirect_uri": CALLBACK, "scope": SCOPE, "prompt": "consent"} | parameters
        page = await self.browser.follow(await self.browser.get(await self.library.ask("start", **given)))
        if 'id="sign-in"' in page.text:
            page = await self.browser.sign_in(page, await self.world.registered())
        return await self.browser.submit(page, "allow") if 'id="allow"' in page.text else page

    async def signed_in(self, **parameters: Any) -> dict[str, Any]:
        answer = await self.led(**parameters)
        return dict(await self.library.ask("finish", url=answer.headers["location"]))


async def relying(
    world: World,
    library: NodeParty,
    browser: Browser,
    method: str = "client_secret_basic",
    *,
    discovery: str = "oidc",
    **properties: Any,
) -> Relying:
    key = new_key()
    given: dict[str, Any] = {"grant_types": (*GRANTS, "client_credentials"), "redirect_uris": (CALLBACK,)}
    if method == "private_key_jwt":
        given["jwks"] = key_set(key)
    client = await world.client(public=method == "none", auth_method=method, **given | properties)
    algorithm = properties.get("id_token_signed_response_alg", "RS256")
    metadata = await library.ask(
        "discover",
        issuer=world.settings.issuer,
        discovery=discovery,
        client_id=client.client_id,
        method=method,
        metadata={"id_token_signed_response_alg": algorithm},
        secret=client.secret,
        key=key.whole,
        alg="ES256",
    )
    assert method in metadata["token_endpoint_auth_methods_supported"]
    return Relying(world, library, browser, metadata)


@pytest.mark.parametrize("method", METHODS)
async def test_who_signs_in_is_known_to_the_client(world: World, library: NodeParty, method: str) -> None:
    """The library checks state, nonce, iss, PKCE and the ID token with its signature."""
    async with Browser(world) as browser:
        party = await relying(world, library, browser, method)
        tokens = await party.signed_in()
    told = await library.ask("userinfo", access_token=tokens["access_token"], sub=tokens["claims"]["sub"])

    assert tokens["claims"]["iss"] == world.settings.issuer
    assert told["sub"] == tokens["claims"]["sub"]
    assert told["name"] == "Ada"
    assert told["email"].endswith("@example.com")


@pytest.mark.parametrize("method", METHODS)
async def test_the_client_refreshes_and_ends_the_session(world: World, library: NodeParty, method: str) -> None:
    async with Browser(world) as browser:
        party = await relying(world, library, browser, method)
        first = await party.signed_in()
    second = await library.ask("refresh", refresh_token=first["refresh_token"])

    await library.ask("revoke", token=second["refresh_token"])

    assert second["claims"]["sub"] == first["claims"]["sub"]
    assert second["refresh_token"] != first["refresh_token"]
    with pytest.raises(Failed) as refused:
        await library.ask("refresh", refresh_token=second["refresh_token"])
    assert refused.value.error == "invalid_grant"


async def test_a_client_asks_what_a_token_is_worth(world: World, library: NodeParty) -> None:
    async with Browser(world) as browser:
        party = await relying(world, library, browser)
        tokens = await party.signed_in()
    alive = await library.ask("introspect", token=tokens["access_token"])
    await library.ask("revoke", token=tokens["access_token"])
    dead = await library.ask("introspect", token=tokens["access_token"])

    assert alive["active"] is True
    assert alive["sub"] == tokens["claims"]["sub"]
    assert dead == {"active": False}


@pytest.mark.parametrize("method", METHODS[:3])
async def test_a_client_gets_a_token_of_its_own(world: World, library: NodeParty, method: str) -> None:
    async with Browser(world) as browser:
        await relying(world, library, browser, method)

    assert (await library.ask("client_credentials", scope="profile"))["token_type"] == "bearer"


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_the_library_verifies_every_algorithm(world: World, library: NodeParty, algorithm: str) -> None:
    await asyncio.to_thread(world.services.keys.provide, [algorithm])
    async with Browser(world) as browser:
        party = await relying(world, library, browser, id_token_signed_response_alg=algorithm)

        assert (await party.signed_in())["claims"]["sub"]


async def test_an_answer_that_is_posted_is_read(world: World, library: NodeParty) -> None:
    async with Browser(world) as browser:
        party = await relying(world, library, browser)
        form = form_of(await party.led(response_mode="form_post"))

    assert (await library.ask("finish", url=form.action, body=urlencode(form.fields)))["claims"]["sub"]


async def test_who_has_signed_in_long_ago_is_asked_again(world: World, library: NodeParty) -> None:
    """With max_age the library wants auth_time, and wants it recent."""
    async with Browser(world) as browser:
        party = await relying(world, library, browser)
        await party.signed_in()

        again = await party.signed_in(max_age=0)

    assert again["claims"]["auth_time"] <= again["claims"]["iat"]


async def test_the_answer_of_another_issuer_is_noticed(world: World, library: NodeParty) -> None:
    """RFC 9207: since discovery promises iss, the library refuses an answer with another one, or with none."""
    async with Browser(world) as browser:
        party = await relying(world, library, browser)
        location = (await party.led()).headers["location"]
    query = parse_qs(urlsplit(location).query)

    for wrong in ({"iss": "https://evil.example"}, {"iss": None}):
        changed = {name: value[0] for name, value in query.items()} | wrong
        given = urlencode({name: value for name, value in changed.items() if value})
        with pytest.raises(Failed) as refused:
            await library.ask("finish", url=f"{CALLBACK}?{given}")
        assert "iss" in str(refused.value)


async def test_a_refusal_reaches_the_client(world: World, library: NodeParty) -> None:
    async with Browser(world) as browser:
        await relying(world, library, browser)
        start = await library.ask("start", redirect_uri=CALLBACK, scope=SCOPE, prompt="none")
        location = (await browser.get(start)).headers["location"]

        with pytest.raises(Failed) as refused:
            await library.ask("finish", url=location)

    assert refused.value.error == "login_required"


async def test_a_client_with_a_wrong_secret_reads_the_error(world: World, library: NodeParty) -> None:
    """CA14: of an answer with a challenge the library keeps the challenge only."""
    client = await world.client(auth_method="client_secret_post")
    await library.ask(
        "discover",
        issuer=world.settings.issuer,
        client_id=client.client_id,
        method="client_secret_post",
        secret="wrong",
    )

    with pytest.raises(Failed) as refused:
        await library.ask("client_credentials", scope="profile")

    assert refused.value.error == "invalid_client"


async def test_who_signs_out_at_the_client_is_signed_out_here(world: World, library: NodeParty) -> None:
    after = "https://app.example/bye"
    async with Browser(world) as browser:
        party = await relying(world, library, browser, post_logout_redirect_uris=(after,))
        tokens = await party.signed_in()
        hint = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": after, "state": "s"}

        answer = await browser.follow(await browser.get(await library.ask("end_session", **hint)))
        again = await browser.follow(await browser.get(await library.ask("start", redirect_uri=CALLBACK, scope=SCOPE)))

    assert answer.headers["location"] == f"{after}?state=s"
    assert 'id="sign-in"' in again.text
    with pytest.raises(Failed) as refused:
        await library.ask("refresh", refresh_token=tokens["refresh_token"])
    assert refused.value.error == "invalid_grant"


@pytest.mark.parametrize("discovery", ["oidc", "oauth2"])
async def test_an_issuer_with_a_path_is_found_at_either_place(
    pathed: World, library: NodeParty, discovery: str
) -> None:
    """OpenID Connect appends the well-known path to the issuer, RFC 8414 puts it before the issuer's path."""
    async with Browser(pathed) as browser:
        party = await relying(pathed, library, browser, discovery=discovery)
        tokens = await party.signed_in()
    told = await library.ask("userinfo", access_token=tokens["access_token"], sub=tokens["claims"]["sub"])

    assert tokens["claims"]["iss"] == pathed.settings.issuer
    assert told["sub"] == tokens["claims"]["sub"]
