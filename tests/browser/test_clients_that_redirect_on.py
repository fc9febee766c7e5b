"""
Clients whose callback redirects on, to another port, an app of its own, plain http: after a form of ours the browser follows.

Chromium checks every redirect that follows a form against the `form-action` of the page with the form, and stops without a
word to the user.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
from certificates import contexts, self_signed
from client_site import ClientSite, serving
from hosted import Party
from playwright.async_api import Browser, BrowserContext
from world import PASSWORD, World

pytestmark = pytest.mark.xdist_group("browser")

PATIENCE = 60_000
APP = "myapp://done"
ASKING = "/oauth2/authorize"
# Where the client's callback is → where that redirects to.
ROWS = {
    "http-to-another-port": ("http", "http://127.0.0.1"),
    "127.0.0.1-to-localhost": ("http", "http://localhost"),
    "localhost-to-127.0.0.1": ("http-localhost", "http://127.0.0.1"),
    "http-to-an-app": ("http", APP),
    "https-to-an-app": ("https", APP),
    "https-to-http-in-a-lan": ("https", "http://nas.localhost"),
}


@dataclass
class Visit:
    """Tabs of one browser, one for each form: Chromium lets a tab ask for an app only so often."""

    world: World
    context: BrowserContext
    end: str

    async def arrives(self, path: str, parameters: dict[str, str], *buttons: str, **filled: str) -> bool:
        """Whether the press of these buttons, the first on the page that *path* shows, ends where the client leads."""
        page = await self.context.new_page()
        left = asyncio.get_running_loop().create_future()

        def hear(text: str) -> None:
            if "Content Security Policy" in text and not left.done():
                left.set_result(False)

        def see(url: str) -> None:
            if url.startswith(self.end) and not left.done():
                left.set_result(True)

        page.on("console", lambda message: hear(message.text))
        page.on("request", lambda request: see(request.url))
        await page.goto(f"{self.world.settings.issuer}{path}?{urlencode(parameters)}")
        for field, value in filled.items():
            await page.fill(f"#{field}", value)
        for button in buttons:
            await page.click(f"#{button}")
        async with asyncio.timeout(PATIENCE / 1000):
            arrived: bool = await left
        await page.close()
        return arrived


@asynccontextmanager
async def client_of(row: str, folder: Path) -> AsyncIterator[tuple[ClientSite, str]]:
    """A site whose every place redirects on, and the beginning of where that leads to."""
    kind, target = ROWS[row]
    async with AsyncExitStack() as stack:
        tls = contexts(self_signed(folder / "both.pem", "127.0.0.1"))[0] if kind == "https" else None
        host = "localhost" if kind == "http-localhost" else "127.0.0.1"
        site = await stack.enter_async_context(serving(tls, host))
        there = await stack.enter_async_context(serving(host=target.partition("//")[2]))
        end = APP if target == APP else there.origin
        site.onward |= dict.fromkeys(("/callback", "/out"), end if target == APP else f"{end}/there")
        yield site, end


@asynccontextmanager
async def visit(browser: Browser, world: World, end: str) -> AsyncIterator[Visit]:
    context = await browser.new_context(ignore_https_errors=True)
    try:
        context.set_default_timeout(PATIENCE)
        yield Visit(world, context, end)
    finally:
        await context.close()


@pytest.mark.parametrize("row", ROWS)
async def test_after_signing_in_consent_and_signing_out_the_browser_goes_where_the_client_leads(
    browser: Browser, world: World, tmp_path: Path, row: str
) -> None:
    """HD7."""
    email = await world.registered()
    async with client_of(row, tmp_path) as (site, end), visit(browser, world, end) as ada:
        out = {"post_logout_redirect_uri": f"{site.origin}/out"}
        places = {"redirect_uris": (site.callback,), "post_logout_redirect_uris": tuple(out.values())}
        own = await Party.registered(world, **places)
        other = await Party.registered(world, first_party=False, **places)

        assert await ada.arrives(ASKING, own.request(), "sign-in", email=email, password=PASSWORD)
        assert await ada.arrives(ASKING, other.request(), "allow")
        assert await ada.arrives("/oauth2/logout", {"client_id": own.client.client_id, **out}, "sign-out")


async def test_after_every_other_form_too(browser: Browser, world: World, tmp_path: Path) -> None:
    """HD7: choosing an account, refusing consent, an answer by form."""
    email = await world.registered()
    async with client_of("https-to-an-app", tmp_path) as (site, end), visit(browser, world, end) as ada:
        party = await Party.registered(world, first_party=False, redirect_uris=(site.callback,))

        asking = party.request(prompt="login consent", response_mode="form_post")
        assert await ada.arrives(ASKING, asking, "sign-in", "allow", email=email, password=PASSWORD)
        assert await ada.arrives(ASKING, party.request(prompt="consent"), "deny")
        assert await ada.arrives(ASKING, party.request(prompt="select_account"), "continue")
