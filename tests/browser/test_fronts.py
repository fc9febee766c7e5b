"""The pages in a real browser, behind proxies that leave a server with less than the browser has sent."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from chromium import PATIENCE, watched
from client_site import ClientSite
from fronts import Below, in_front
from on_a_socket import served
from playwright.async_api import Browser, expect
from world import PASSWORD, World

from idp.app import create_app
from idp.cli.preparation import prepare

pytestmark = pytest.mark.xdist_group("browser")


async def test_forms_work_behind_a_proxy_that_drops_fetch_metadata(
    browser: Browser, world: World, client_site: ClientSite
) -> None:
    """SE19, SE7: the origin is null, as our pages send no referrer. A form of another site does nothing all the same."""
    email, other = await world.registered(), await world.registered()
    async with in_front(drops="sec-fetch-") as front:
        app = create_app(world.services, replace(world.settings, issuer=front.origin))
        async with served(app) as url, await browser.new_context() as context:
            front.to = urlsplit(url).port or 0
            page = await context.new_page()
            await page.goto(f"{front.origin}/login")
            client_site.pages["/attack"] = (
                f'<form method="post" action="{front.origin}/login"><input name="email" value="{other}">'
                f'<input name="password" value="{PASSWORD}"></form><script>document.forms[0].submit()</script>'
            )
            attack = await context.new_page()
            async with attack.expect_response(lambda it: it.request.method == "POST") as answered:
                await attack.goto(f"{client_site.origin}/attack")
            await page.fill("#email", email)
            await page.fill("#password", PASSWORD)
            await page.click("#sign-in")
            await page.wait_for_url(f"{front.origin}/account")

    assert (await answered.value).status == 403
    sent = next(head.lower() for head in reversed(front.passed) if head.startswith("POST "))
    assert "\r\norigin: null\r\n" in sent
    assert "sec-fetch-" not in sent


async def test_every_page_below_a_path_loads_all_that_it_names(browser: Browser, world: World, below: Below) -> None:
    """The demo application, a sign-in over its pages, the account and each place that it leads to, and the way out."""
    issuer, email = below.world.settings.issuer, await world.registered()
    below.front.strips = ""
    await prepare(below.world.settings, world.services)
    async with await browser.new_context() as context:
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        said, missing = watched(page), []
        page.on("response", lambda answer: missing.append(answer.url) if answer.status >= 400 else None)
        await page.goto(f"{issuer}/demo")
        await page.click("#sign-in")
        for name in ("forgot-password", "register"):
            await page.click(f'a[href*="/{name}"]')
            await page.click('a[href*="/login"]')
        await page.fill("#email", email)
        await page.fill("#password", PASSWORD)
        await page.click("#sign-in")
        await page.click("#allow")
        await expect(page.locator("#inside")).to_be_visible(timeout=PATIENCE)
        for start in ("/", "/api-docs", "/account"):
            await page.goto(f"{issuer}{start}")
        places = await page.eval_on_selector_all("nav a", "links => links.map(link => link.href)")
        for place in places:
            await page.click(f'nav a[href="{urlsplit(place).path}"]')
            await page.wait_for_url(place)
        await page.click("#sign-out")
        await page.wait_for_url(f"{issuer}/logout")
        await page.click('a[href*="/login"]')
        await page.wait_for_url(f"{issuer}/login")
    await prepare(world.settings, world.services)

    assert len(places) == 8
    assert missing == []
    assert said == []
