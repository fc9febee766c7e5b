"""Where the end session endpoint sends a browser (group N)."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from hosted import Party, form_of
from leaving import OUT, is_refused, signed_in
from world import World

MUTATIONS = [
    f"{OUT}/",
    f"{OUT}?",
    f"{OUT}?x=1",
    f"{OUT}#",
    f"{OUT}#f",
    f"{OUT} ",
    f" {OUT}",
    f"{OUT}\t",
    f"{OUT}%00",
    f"{OUT}%2f",
    f"{OUT}/..",
    f"{OUT}/../signed-out",
    f"{OUT};x",
    f"{OUT}\\",
    "https://app.example",
    "https://app.example/",
    "https://app.example//signed-out",
    "https://app.example/./signed-out",
    "https://app.example/x/../signed-out",
    "https://app.example/..;/signed-out",
    "https://app.example/Signed-out",
    "https://app.example/signed%2Dout",
    "https://app.example/signed-ou",
    "https://app.example/signed-out2",
    "https://APP.example/signed-out",
    "HTTPS://app.example/signed-out",
    "http://app.example/signed-out",
    "https://app.example:443/signed-out",
    "https://app.example:8443/signed-out",
    "https://app.example./signed-out",
    "https://app.example.evil.example/signed-out",
    "https://evil.app.example/signed-out",
    "https://evilapp.example/signed-out",
    "https://app.example@evil.example/signed-out",
    "https://evil@app.example/signed-out",
    "https://app。example/signed-out",
    "https://аpp.example/signed-out",
    "//app.example/signed-out",
    "///app.example/signed-out",
    "/signed-out",
    "/\\app.example/signed-out",
    "https:app.example/signed-out",
    "https:/app.example/signed-out",
    "https://app.example\\@evil.example/signed-out",
    "javascript:alert(1)",
    "data:text/html,x",
    f"{OUT},https://evil.example/",
    f"{OUT} https://evil.example/",
    "*",
    "https://*.example/signed-out",
]


@pytest.fixture(scope="module")
async def party(world: World) -> Party:
    return await Party.registered(world, post_logout_redirect_uris=(OUT,))


@pytest.mark.parametrize("uri", MUTATIONS)
async def test_a_redirect_uri_is_compared_exactly(world: World, party: Party, uri: str) -> None:
    """RU8, LO5."""
    parameters = {"client_id": party.client.client_id, "post_logout_redirect_uri": uri}
    by_query = await world.http.get("/oauth2/logout", params=parameters)
    by_form = await world.http.post("/oauth2/logout", data=parameters)

    assert is_refused(by_query)
    assert is_refused(by_form)


async def test_the_redirect_uri_of_another_client_is_refused(world: World) -> None:
    """LO5."""
    theirs = "https://other.example/signed-out"
    async with signed_in(world) as user, signed_in(world, post_logout_redirect_uris=(theirs,)) as other:
        for parameters in (
            {"id_token_hint": user.hint, "post_logout_redirect_uri": theirs},
            {"client_id": user.client_id, "post_logout_redirect_uri": theirs},
            {"id_token_hint": user.hint, "client_id": other.client_id, "post_logout_redirect_uri": theirs},
            {"id_token_hint": user.hint, "client_id": other.client_id},
            {"id_token_hint": user.hint, "client_id": "nobody", "post_logout_redirect_uri": OUT},
            {"client_id": "nobody"},
            {"post_logout_redirect_uri": OUT},
        ):
            assert is_refused(await user.logout(**parameters)), parameters
        assert await user.is_signed_in()


async def test_a_redirect_uri_for_signing_in_is_none_for_signing_out(world: World) -> None:
    """LO5, RU8."""
    async with signed_in(world, post_logout_redirect_uris=()) as user:
        parameters = {"id_token_hint": user.hint, "post_logout_redirect_uri": user.party.redirect_uri}

        assert is_refused(await user.logout(**parameters))


async def test_a_disabled_client_leads_nowhere_and_its_users_can_still_sign_out(world: World) -> None:
    """LO5."""
    async with signed_in(world) as user:
        await world.changed_client(user.party.client, enabled=False)
        refused = await user.logout(id_token_hint=user.hint, post_logout_redirect_uri=OUT)
        done = await user.logout(id_token_hint=user.hint)

        assert is_refused(refused)
        assert "You are signed out" in done.text


async def test_a_port_of_a_native_client_is_as_registered_too(world: World) -> None:
    """RU8: what signing in may vary (RFC 8252), signing out may not."""
    uri = "http://127.0.0.1:5000/out"
    party = await Party.registered(world, post_logout_redirect_uris=(uri,), application_type="native")
    parameters = {"client_id": party.client.client_id, "post_logout_redirect_uri": uri.replace("5000", "5001")}

    assert is_refused(await world.http.get("/oauth2/logout", params=parameters))


async def test_the_request_stands_in_no_address_and_no_field(world: World) -> None:
    async with signed_in(world) as user:
        parameters = {"client_id": user.client_id, "post_logout_redirect_uri": OUT, "state": "a-state"}
        sent = await user.browser.get("/oauth2/logout", params=parameters)
        page = await user.browser.follow(sent)

        query = parse_qs(urlsplit(sent.headers["location"]).query)
        assert query.keys() == {"request"}
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", query["request"][0])
        assert form_of(page).fields.keys() == {"csrf_token", "request"}
        assert "a-state" not in page.text
        assert await world.cache.get(f"lr:{query['request'][0]}") is None
