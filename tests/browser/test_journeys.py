"""Whole journeys in a real browser against the running server: what a user does, from the client's page and back to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import axe_playwright_python
import pytest
from client_site import ClientSite
from hosted import Party
from playwright.async_api import Browser, BrowserContext, Page, expect
from world import PASSWORD, World

pytestmark = pytest.mark.xdist_group("browser")

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
PHONE: dict[str, Any] = {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark", "has_touch": True}
PATIENCE = 60_000


@dataclass
class Person:
    """In a browser of their own. *complaints*: what the console said, violations of the policy above all."""

    world: World
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    async def begin(self, party: Party, **changes: str | None) -> None:
        """By the link on the client's page."""
        await self.page.goto(f"{self.world.settings.issuer}/oauth2/authorize?{urlencode(party.request(**changes))}")

    async def sign_in(self, email: str, password: str = PASSWORD) -> None:
        await self.page.fill("#email", email)
        await self.page.fill("#password", password)
        await self.page.click("#sign-in")

    async def answer(self) -> dict[str, str]:
        """What the client is told."""
        await self.page.wait_for_url("**/callback?**")
        return dict(parse_qsl(urlsplit(self.page.url).query))

    async def examined(self) -> None:
        """The page at hand has no fault that axe finds, and fits its width. Needs scripts."""
        await self.page.evaluate(AXE)
        found = await self.page.evaluate("() => axe.run()")
        assert [f"{it['id']}: {[node['html'] for node in it['nodes']]}" for it in found["violations"]] == []
        assert await self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.fixture
async def party(world: World, client_site: ClientSite) -> Party:
    return await Party.registered(world, redirect_uris=(client_site.callback,), first_party=False)


@asynccontextmanager
async def person(browser: Browser, world: World, **options: Any) -> AsyncIterator[Person]:
    context = await browser.new_context(**options)
    try:
        context.set_default_timeout(PATIENCE)
        someone = Person(world, context, await context.new_page())
        context.on("console", lambda message: someone.complaints.append(message.text))
        yield someone
    finally:
        await context.close()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
async def test_from_a_new_account_to_signing_out(browser: Browser, world: World, party: Party, scripts: bool) -> None:
    email = world.new_email()
    async with person(browser, world, java_script_enabled=scripts) as ada:
        await ada.begin(party)
        await ada.page.click("text=Create an account")
        await ada.page.fill("#name", "Ada Lovelace")
        await ada.page.fill("#email", email)
        await ada.page.fill("#password", PASSWORD)
        await ada.page.click("#register")
        await expect(ada.page.locator("h1")).to_have_text("Look into your inbox")
        mail = await world.mail(email, "Verify")
        confirming = await ada.context.new_page()
        await confirming.goto(mail.link)
        await confirming.click("#confirm")
        await expect(confirming.locator("h1")).to_have_text("Your e-mail address is confirmed")
        await ada.page.click("#continue")
        await ada.sign_in(email)
        await expect(ada.page.locator("h1")).to_have_text("Test asks for access")
        await ada.page.click("#allow")
        tokens = (await party.redeem((await ada.answer())["code"])).json()
        assert (await world.userinfo(tokens["access_token"])).json()["email_verified"] is True

        both = await asyncio.gather(*(party.refresh(tokens["refresh_token"]) for _ in range(2)))
        assert [tab.status_code for tab in both] == [200, 200]

        await ada.page.goto(f"{world.settings.issuer}/account")
        await expect(ada.page.locator("main")).to_contain_text("Ada Lovelace")
        await ada.page.click("#sign-out")
        assert (await party.refresh(both[0].json()["refresh_token"])).status_code == 400
        await ada.page.goto(f"{world.settings.issuer}/account")
        await expect(ada.page.locator("#sign-in")).to_be_visible()

    assert ada.complaints == []


async def test_every_page_of_a_sign_in_is_accessible_on_a_phone_in_the_dark(
    browser: Browser, world: World, party: Party
) -> None:
    email = await world.registered()
    async with person(browser, world, **PHONE) as ada:
        await ada.begin(party)
        await ada.examined()
        await ada.sign_in(email, "Wrong-Horse-7")
        await expect(ada.page.locator("#error")).to_be_visible()
        await ada.examined()
        await world.services.user_administration.unlock(email)
        await ada.sign_in(email)
        await expect(ada.page.locator("#allow")).to_be_visible()
        await ada.examined()
        await ada.page.click("#allow")
        await ada.answer()
        for place in ("", "/profile", "/password", "/email", "/sessions", "/applications", "/history", "/delete"):
            await ada.page.goto(f"{world.settings.issuer}/account{place}")
            await ada.examined()


async def test_a_wrong_password_is_told_without_saying_which_half_and_the_address_stays(
    browser: Browser, world: World, party: Party
) -> None:
    async with person(browser, world) as ada:
        await ada.begin(party)
        await ada.sign_in("nobody@example.com", "Wrong-Horse-7")

        await expect(ada.page.locator("#error")).to_contain_text("The e-mail address or the password is wrong.")
        assert await ada.page.input_value("#email") == "nobody@example.com"
        assert await ada.page.input_value("#password") == ""
        assert await ada.page.evaluate("document.activeElement.id") == "error"


async def test_who_is_locked_out_is_told_to_wait(browser: Browser, world: World, party: Party) -> None:
    email = await world.registered()
    async with person(browser, world) as ada:
        await ada.begin(party)
        await ada.sign_in(email, "Wrong-Horse-7")
        await expect(ada.page.locator("#error")).to_contain_text("wrong")
        await world.database.execute(
            "UPDATE sign_in_failures SET failures = 5, blocked_until = now() + interval '15 minutes'"
            " WHERE user_id = (SELECT id FROM users WHERE email = $1)",
            email,
        )
        await ada.sign_in(email)

        await expect(ada.page.locator("#error")).to_contain_text("Too many attempts")


async def test_a_sign_in_that_has_expired_says_so_and_leads_to_the_account(
    browser: Browser, world: World, party: Party
) -> None:
    async with person(browser, world) as ada:
        await ada.begin(party)
        await world.cache.flushall()

        await ada.sign_in(await world.registered())

        await expect(ada.page.locator("#error")).to_contain_text("expired")
        assert ada.page.url.startswith(world.settings.issuer)
        await ada.page.click("#go-on")
        await ada.page.wait_for_url(f"{world.settings.issuer}/account")


async def test_back_and_forward_again_end_at_the_client(browser: Browser, world: World, party: Party) -> None:
    async with person(browser, world) as ada:
        await ada.begin(party)
        await ada.sign_in(await world.registered())
        await expect(ada.page.locator("#allow")).to_be_visible()
        await ada.page.go_back()
        await ada.page.wait_for_load_state()
        await expect(ada.page.locator("#allow, #sign-in")).to_be_visible()
        await ada.page.reload()
        await ada.page.click("#allow")

        assert (await party.redeem((await ada.answer())["code"])).status_code == 200


async def test_two_tabs_sign_in_for_two_clients_without_mixing_them_up(
    browser: Browser, world: World, client_site: ClientSite
) -> None:
    """AZ29."""
    first = await Party.registered(world, redirect_uris=(client_site.callback,), first_party=False)
    second = await Party.registered(world, redirect_uris=(client_site.callback,), first_party=False)
    email = await world.registered()
    async with person(browser, world) as ada:
        await ada.begin(first)
        other = Person(world, ada.context, await ada.context.new_page())
        await other.begin(second)
        await other.sign_in(email)
        await other.page.click("#allow")
        theirs = await other.answer()
        await ada.sign_in(email)
        await ada.page.click("#allow")
        mine = await ada.answer()

    assert (mine["state"], theirs["state"]) == (first.state, second.state)
    assert (await first.redeem(mine["code"])).status_code == 200
    assert (await second.redeem(theirs["code"])).status_code == 200


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
async def test_an_answer_by_form_reaches_the_client(
    browser: Browser, world: World, party: Party, scripts: bool
) -> None:
    async with person(browser, world, java_script_enabled=scripts) as ada:
        sent: list[str] = []
        ada.page.on(
            "request",
            lambda request: sent.append(request.post_data or "") if request.url == party.redirect_uri else None,
        )
        await ada.begin(party, response_mode="form_post")
        await ada.sign_in(await world.registered())
        await ada.page.click("#allow")
        if not scripts:
            await ada.page.click("#continue")
        await ada.page.wait_for_url("**/callback")

        answer = dict(parse_qsl(sent[0]))
        assert answer["state"] == party.state
        assert (await party.redeem(answer["code"])).status_code == 200
    assert ada.complaints == []


async def test_a_form_of_the_clients_page_begins_a_sign_in_and_finds_who_is_signed_in(
    browser: Browser, world: World, client_site: ClientSite, party: Party
) -> None:
    """AZ1: with it comes no cookie of ours, since it is another site's."""
    email = await world.registered()
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in party.request().items())
    form = f'<form method="post" action="{world.settings.issuer}/oauth2/authorize">{inputs}<button id="go">Go</button></form>'
    client_site.pages["/form"] = form
    async with person(browser, world) as ada:
        await ada.begin(party)
        await ada.sign_in(email)
        await ada.page.click("#allow")
        await ada.answer()
        await ada.page.goto(f"{client_site.origin}/form")
        await ada.page.click("#go")

        assert (await party.redeem((await ada.answer())["code"])).status_code == 200


async def test_our_pages_are_shown_in_no_frame(browser: Browser, world: World, client_site: ClientSite) -> None:
    """HD11."""
    async with person(browser, world) as eve:
        frame = f'<iframe id="it" src="{world.settings.issuer}/login"></iframe>'
        client_site.pages["/frame"] = frame
        await eve.page.goto(f"{client_site.origin}/frame")

        assert await eve.page.frame_locator("#it").locator("#email").count() == 0
        assert any("frame-ancestors" in it for it in eve.complaints)


async def test_german_speakers_read_german(browser: Browser, world: World, party: Party) -> None:
    async with person(browser, world, locale="de-DE") as ada:
        await ada.begin(party)
        await expect(ada.page.locator("#sign-in")).to_have_text("Anmelden")
        await ada.begin(party, ui_locales="en")
        await expect(ada.page.locator("#sign-in")).to_have_text("Sign in")
