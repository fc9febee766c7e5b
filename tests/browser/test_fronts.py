"""The pages in a real browser, behind proxies that leave a server with less than the browser has sent."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from client_site import ClientSite
from fronts import in_front
from playwright.async_api import Browser
from serving import served
from world import PASSWORD, World

from idp.app import create_app

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
