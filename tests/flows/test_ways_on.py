"""A sign-in, a form or a sign-out that has expired: the page that says so leads on."""

from __future__ import annotations

import html
import re

import httpx
import pytest
from hosted import Browser, Party, answer_of, button_of, form_of
from world import PASSWORD, World

INITIATE = "https://app.example/start?tenant=1"


def link_of(page: httpx.Response, name: str) -> str | None:
    found = re.search(rf'id="{name}" href="([^"]*)"', page.text)
    return html.unescape(found[1]) if found else None


def has_expired(page: httpx.Response, status: int = 400) -> bool:
    return page.status_code == status and 'id="error"' in page.text and "expired" in page.text


async def expired(world: World) -> None:
    """Every request that waits."""
    async for key in world.cache.scan_iter(match="ar:*"):
        await world.cache.delete(key)


async def test_who_signs_in_too_late_is_signed_in_and_led_to_the_account(world: World) -> None:
    party, email = await Party.registered(world), await world.registered()
    async with Browser(world) as browser:
        page = await browser.authorize(party)
        await expired(world)

        answer = await browser.sign_in(page, email)

        assert has_expired(answer)
        assert link_of(answer, "continue") is None
        account = await browser.follow(await browser.get(link_of(answer, "go-on") or ""))
        assert 'id="sign-out"' in account.text


@pytest.mark.parametrize("path", ["/login", "/continue", "/consent", "/select-account", "/register"])
async def test_who_comes_back_to_a_page_of_an_expired_sign_in_is_led_on(world: World, path: str) -> None:
    """To the account; who is not signed in, to the sign-in."""
    party, email = await Party.registered(world, first_party=False), await world.registered()
    async with Browser(world) as browser, Browser(world) as nobody:
        await browser.signed_in(email)
        for visitor, there in ((browser, 'id="sign-out"'), (nobody, 'id="sign-in"')):
            handle = form_of(await visitor.authorize(party, prompt="login")).fields["request"]
            await expired(world)

            page = await visitor.follow(await visitor.get(path, params={"request": handle}))
            if visitor is nobody and path == "/select-account":
                assert page.url.path == "/login"
            assert has_expired(page)
            assert there in (await visitor.follow(await visitor.get(link_of(page, "go-on") or ""))).text


@pytest.mark.parametrize("posted", [True, False])
async def test_an_application_that_can_begin_anew_is_led_back_to(world: World, posted: bool) -> None:
    """OpenID Connect Core, section 4: its initiate_login_uri, as it is registered now, with the issuer."""
    party = await Party.registered(world, initiate_login_uri="https://app.example/old")
    async with Browser(world) as browser:
        request = party.request()
        begun = await browser.http.post("/oauth2/authorize", data=request) if posted else None
        page = await browser.follow(begun) if begun else await browser.authorize(party)
        await expired(world)
        await world.changed_client(party.client, initiate_login_uri=INITIATE)

        seen = [await browser.sign_in(page, await world.registered()), await browser.get(str(page.url))]

    issuer = httpx.QueryParams({"iss": world.settings.issuer})
    assert [has_expired(answer) for answer in seen] == [True, True]
    assert [link_of(answer, "continue") for answer in seen] == [f"{INITIATE}&{issuer}"] * 2
    assert all("Back to Test" in answer.text for answer in seen)
    assert all("location" not in answer.headers for answer in seen)


@pytest.mark.parametrize("change", [{"initiate_login_uri": None}, {"enabled": False}])
async def test_an_application_that_is_no_more_is_not_led_to(world: World, change: dict[str, object]) -> None:
    party = await Party.registered(world, initiate_login_uri=INITIATE)
    async with Browser(world) as browser:
        page = await browser.authorize(party)
        await expired(world)
        await world.changed_client(party.client, **change)
        answer = await browser.get(str(page.url))

    assert has_expired(answer)
    assert "app.example" not in answer.text
    assert link_of(answer, "go-on")


@pytest.mark.parametrize("handle", ["x.", ".", "x.!", "x.%ff", "x.AAAA", "x.AA==", "x.YQ.YQ", "é.é", "x." + "A" * 5000])
async def test_a_handle_that_names_nobody_leads_to_the_account(world: World, handle: str) -> None:
    async with Browser(world) as browser:
        page = await browser.get("/login", params={"request": handle})

    assert has_expired(page)
    assert (link_of(page, "continue"), link_of(page, "go-on")) == (None, "/account")


async def test_a_form_whose_token_expired_leads_back_to_its_page_and_the_sign_in_goes_on(world: World) -> None:
    """As after the browser was closed, or another user signed in in another tab."""
    party, email = await Party.registered(world, first_party=False), await world.registered()
    async with Browser(world) as browser:
        page = await browser.sign_in(await browser.authorize(party), email)
        fields = form_of(page).fields | button_of(page, "allow") | {"csrf_token": "of-a-session-that-ended"}

        refused = await browser.http.post("/consent", data=fields)

        assert has_expired(refused, 403)
        again = await browser.follow(await browser.get(link_of(refused, "go-on") or ""))
        assert "code" in answer_of(await browser.submit(again, "allow"))


@pytest.mark.parametrize("path", ["/login", "/register", "/forgot-password", "/account/password", "/logout"])
async def test_every_form_whose_token_expired_leads_back_to_its_page(world: World, path: str) -> None:
    async with Browser(world) as browser:
        await browser.signed_in(await world.registered())
        refused = await browser.http.post(path, data={"csrf_token": "x", "password": PASSWORD})

        assert has_expired(refused, 403)
        assert link_of(refused, "go-on") == path
        assert (await browser.follow(await browser.get(path))).status_code == 200


async def test_a_sign_out_that_has_expired_leads_to_another(world: World) -> None:
    party = await Party.registered(world)
    async with Browser(world) as browser:
        await browser.signed_in(await world.registered())
        asked = await browser.get("/oauth2/logout", params={"client_id": party.client.client_id})
        location = asked.headers["location"]
        async for key in world.cache.scan_iter(match="lr:*"):
            await world.cache.delete(key)

        page = await browser.get(location)
        assert has_expired(page)
        assert 'id="sign-out"' in (await browser.get(link_of(page, "go-on") or "")).text


async def test_password_managers_find_the_page_that_changes_a_password(world: World) -> None:
    """W3C, A Well-Known URL for Changing Passwords; section 3.2: what is not there says so by its status."""
    async with Browser(world) as browser:
        await browser.signed_in(await world.registered())
        found = await browser.get("/.well-known/change-password")
        page = await browser.follow(found)
        missing = await browser.get("/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200")

    assert (found.status_code, found.headers["location"]) == (303, "/account/password")
    assert 'name="new_password"' in page.text
    assert missing.status_code == 404
