"""examples/web_app.py, run as it is: Authlib signs users in, refreshes and signs them out here."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator
from html import unescape

import httpx
import pytest
from hosted import GRANTS, Browser
from process import free_port
from program import example
from world import World


class Application:
    """The example, as the browser of its user meets it."""

    def __init__(self, url: str, client_id: str, browser: Browser) -> None:
        self.url = url
        self.client_id = client_id
        self.browser = browser

    async def open(self, path: str = "/") -> httpx.Response:
        return await self.browser.get(self.url + path)

    async def press(self, button: str) -> httpx.Response:
        return await self.browser.http.post(f"{self.url}/{button}")

    async def signed_in(self, email: str) -> httpx.Response:
        page = await self.browser.follow(await self.open("/sign-in"))
        if 'id="sign-in"' in page.text:
            page = await self.browser.sign_in(page, email)
        page = await self.browser.submit(page, "allow")
        back = await self.browser.get(page.headers["location"])
        assert back.status_code == 302, back.text
        return await self.open()


@pytest.fixture
async def application(world: World) -> AsyncIterator[Application]:
    port = free_port()
    url = f"http://localhost:{port}"
    redirects = {"redirect_uris": (f"{url}/callback",), "post_logout_redirect_uris": (f"{url}/",)}
    client = await world.client(grant_types=GRANTS, **redirects)
    assert client.secret is not None
    command = [sys.executable, "web_app.py", world.settings.issuer, client.client_id, client.secret, str(port)]
    async with example(f"http://127.0.0.1:{port}/", *command), Browser(world) as browser:
        yield Application(f"http://127.0.0.1:{port}", client.client_id, browser)


def shown(page: httpx.Response) -> dict[str, str]:
    return {unescape(name): unescape(value) for name, value in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page.text)}
