"""examples/web_app.py, run as it is: Authlib signs users in, refreshes and signs them out here."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator
from html import unescape

import httpx
import pytest
from hosted import GRANTS, Browser, answer_of
from process import free_port
from running_example import example
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
    async with example(f"{url}/", *command), Browser(world) as browser:
        yield Application(url, client.client_id, browser)


def shown(page: httpx.Response) -> dict[str, str]:
    return {unescape(name): unescape(value) for name, value in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page.text)}


async def test_who_signs_in_sees_what_the_application_knows_of_them(world: World, application: Application) -> None:
    email = await world.registered()

    page = await application.signed_in(email)

    claims = shown(page)
    assert (claims["iss"], claims["aud"]) == (world.settings.issuer, application.client_id)
    assert (claims["name"], claims["email"]) == ("Ada", email)
    assert 'id="sign-in"' not in page.text


async def test_who_refreshes_stays_signed_in_until_the_session_ends_elsewhere(
    world: World, application: Application
) -> None:
    email = await world.registered()
    await application.signed_in(email)
    elsewhere = await world.signed_in(email=email)

    refreshed = await application.press("refresh")
    still = await application.open()
    await world.call("POST", "/auth/logout-all", elsewhere)
    await application.press("refresh")
    after = await application.open()

    assert refreshed.status_code == 303
    assert shown(still)["email"] == email
    assert 'id="sign-in"' in after.text


async def test_who_signs_out_of_the_application_is_signed_out_here(world: World, application: Application) -> None:
    await application.signed_in(await world.registered())

    leaving = await application.press("sign-out")
    back = await application.browser.follow(await application.browser.get(leaving.headers["location"]))
    again = await application.browser.follow(await application.open("/sign-in"))

    assert back.headers["location"].startswith(f"{application.url}/")
    assert 'id="sign-in"' in (await application.open()).text
    assert 'id="password"' in again.text


@pytest.mark.parametrize(
    "change", [{"state": "other"}, {"iss": "https://evil.example"}, {"iss": ""}], ids=["state", "iss", "no-iss"]
)
async def test_an_answer_that_is_not_the_servers_signs_nobody_in(
    world: World, application: Application, change: dict[str, str]
) -> None:
    page = await application.browser.follow(await application.open("/sign-in"))
    page = await application.browser.sign_in(page, await world.registered())
    answer = answer_of(await application.browser.submit(page, "allow"))

    refused = await application.browser.get(f"{application.url}/callback", params=answer | change)

    assert refused.status_code == 400
    assert 'id="sign-in"' in (await application.open()).text


async def test_who_refuses_is_told_so_by_the_application(world: World, application: Application) -> None:
    page = await application.browser.follow(await application.open("/sign-in"))
    page = await application.browser.sign_in(page, await world.registered())

    refused = await application.browser.get((await application.browser.submit(page, "deny")).headers["location"])

    assert refused.status_code == 403
    assert 'id="sign-in"' in (await application.open()).text
