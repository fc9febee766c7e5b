"""`/demo/` in a browser: who signs in on our pages stays signed in in every tab, whatever the tabs do at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from chromium import PATIENCE
from playwright.async_api import Browser, BrowserContext, Page, expect
from world import PASSWORD, World

from idp.cli.preparation import prepare

pytestmark = pytest.mark.xdist_group("browser")

STORED = "localStorage.getItem('oidc.session')"


@pytest.fixture(scope="module")
async def demo(world: World) -> str:
    """Where the demo is, its client registered."""
    await prepare(replace(world.settings, admin_password=PASSWORD), world.services)
    return f"{world.settings.issuer}/demo/"


@asynccontextmanager
async def context_of(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context()
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    try:
        yield context
    finally:
        await context.close()


async def signed_in(context: BrowserContext, demo: str, email: str) -> Page:
    """Through the hosted pages, as a user would."""
    page = await context.new_page()
    await page.goto(demo)
    await page.click("#sign-in")
    await page.fill("#email", email)
    await page.fill("#password", PASSWORD)
    await page.click("#sign-in")
    await page.click("#allow")
    await expect(page.locator("#inside")).to_be_visible()
    return page


async def stored(page: Page) -> dict[str, Any]:
    return dict(json.loads(await page.evaluate(STORED)))


async def test_who_signs_in_sees_who_they_are(world: World, browser: Browser, demo: str) -> None:
    email = await world.registered()
    complaints: list[str] = []

    async with context_of(browser) as context:
        context.on("console", lambda message: complaints.append(message.text))
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        page = await signed_in(context, demo, email)
        await expect(page.locator("#name")).to_have_text("Ada")
        claims = json.loads(await page.inner_text("#claims"))
        told = json.loads(await page.inner_text("#userinfo"))

        assert page.url == demo

    assert claims["iss"] == world.settings.issuer
    assert claims["sub"] == told["sub"]
    assert told["email"] == email
    assert complaints == []


@pytest.mark.parametrize("in_turn", [True, False], ids=["in-turn", "at-once"])
async def test_two_tabs_that_refresh_at_once_both_stay_signed_in(
    world: World, browser: Browser, demo: str, in_turn: bool
) -> None:
    """Without turns they send the same refresh token: it has one successor, and both are given it."""
    async with context_of(browser) as context:
        first = await signed_in(context, demo, await world.registered())
        second = await context.new_page()
        await second.goto(demo)
        tabs = [first, second]
        before = (await stored(first))["refresh_token"]
        for tab in tabs:
            await expect(tab.locator("#inside")).to_be_visible()
            await tab.set_checked("#locks", in_turn)

        for count in ("1", "2"):
            await asyncio.gather(*(tab.click("#refresh") for tab in tabs))
            for tab in tabs:
                await expect(tab.locator("#refreshed")).to_have_text(count)

        for tab in tabs:
            await expect(tab.locator("#inside")).to_be_visible()
        after = await stored(first)
    assert after["refresh_token"] != before
    assert (await world.userinfo(after["access_token"])).status_code == 200


async def test_who_signs_out_in_one_tab_is_signed_out_in_all_and_here(
    world: World, browser: Browser, demo: str
) -> None:
    async with context_of(browser) as context:
        first = await signed_in(context, demo, await world.registered())
        second = await context.new_page()
        await second.goto(demo)
        await expect(second.locator("#inside")).to_be_visible()
        tokens = await stored(first)

        await first.click("#sign-out")
        await first.wait_for_url(demo)

        for tab in (first, second):
            await expect(tab.locator("#outside")).to_be_visible()
        await first.click("#sign-in")
        await expect(first.locator("#password")).to_be_visible()
    given = {"grant_type": "refresh_token", "client_id": "demo-spa", "refresh_token": tokens["refresh_token"]}
    assert (await world.token(**given)).json()["error"] == "invalid_grant"


async def test_who_refuses_stays_outside_and_is_told_so(world: World, browser: Browser, demo: str) -> None:
    async with context_of(browser) as context:
        page = await context.new_page()
        await page.goto(demo)
        await page.click("#sign-in")
        await page.fill("#email", await world.registered())
        await page.fill("#password", PASSWORD)
        await page.click("#sign-in")
        await page.click("#deny")

        await expect(page.locator("#outside")).to_be_visible()
        await expect(page.locator("#status")).not_to_be_empty()
        assert page.url == demo
        assert await page.evaluate(STORED) is None


async def test_a_session_that_was_ended_elsewhere_shows_the_way_in(world: World, browser: Browser, demo: str) -> None:
    async with context_of(browser) as context:
        email = await world.registered()
        page = await signed_in(context, demo, email)
        ended = await world.call("POST", "/auth/logout-all", await world.signed_in(email=email))

        await page.click("#refresh")

        await expect(page.locator("#outside")).to_be_visible()
        await expect(page.locator("#status")).to_have_text("Your session has ended.")
    assert ended.status_code == 204
