"""Whole ways through the real server in a real browser, its cookies and the policies of its pages included."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from chromium import PATIENCE, watched
from hosted import Party
from playwright.async_api import Browser, Page
from world import PASSWORD, World

ACCOUNT = ("", "/profile", "/email", "/password", "/sessions", "/applications", "/history", "/delete")


@dataclass
class Callback:
    """The client's own address: takes the answer, then sends the browser on to another site of its own."""

    url: str = ""
    bodies: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next((line for line in head.lower().splitlines() if line.startswith("content-length:")), ":0")
        if head.startswith("POST"):
            self.bodies.append((await reader.readexactly(int(length.partition(":")[2]))).decode())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<title>Photos</title>")
        writer.close()


@pytest.fixture
async def callback() -> AsyncIterator[Callback]:
    found = Callback()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/callback"
    async with server:
        yield found


@asynccontextmanager
async def tab(browser: Browser, **options: Any) -> AsyncIterator[tuple[Page, list[str]]]:
    context = await browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    try:
        yield page, watched(page)
    finally:
        await context.close()


async def begin(page: Page, party: Party, **changes: str) -> None:
    await page.goto(f"{party.world.settings.issuer}/oauth2/authorize?{urlencode(party.request(**changes))}")


async def sign_in(page: Page, email: str) -> None:
    await page.fill("#email", email)
    await page.fill("#password", PASSWORD)
    await page.click("#sign-in")


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_user_signs_in_allows_and_comes_back_with_a_code(
    world: World, browser: Browser, callback: Callback, scripts: bool
) -> None:
    party = await Party.registered(world, first_party=False, redirect_uris=(callback.url,))
    email = await world.registered()

    async with tab(browser, java_script_enabled=scripts) as (page, complaints):
        await begin(page, party)
        await sign_in(page, email)
        await page.click("#allow")
        await page.wait_for_url(f"{callback.url}?*")
        answer = parse_qs(urlsplit(page.url).query)

    assert answer["state"] == [party.state]
    assert (await party.redeem(answer["code"][0])).status_code == 200
    assert complaints == []


@pytest.mark.parametrize("scripts", [True, False])
async def test_an_answer_in_a_form_arrives(world: World, browser: Browser, callback: Callback, scripts: bool) -> None:
    """HD7."""
    party = await Party.registered(world, redirect_uris=(callback.url,))
    email = await world.registered()

    async with tab(browser, java_script_enabled=scripts) as (page, complaints):
        await begin(page, party, response_mode="form_post")
        await sign_in(page, email)
        if not scripts:
            await page.click("#continue")
        await page.wait_for_url(callback.url)

    (body,) = callback.bodies
    assert (await party.redeem(parse_qs(body)["code"][0])).status_code == 200
    assert complaints == []


async def test_a_wrong_password_is_told_and_the_right_one_goes_on(world: World, browser: Browser) -> None:
    email = await world.registered()

    async with tab(browser) as (page, complaints):
        await page.goto(f"{world.settings.issuer}/login")
        await page.fill("#email", email)
        await page.fill("#password", "Another-Horse-7")
        await page.click("#sign-in")
        assert "wrong" in await page.inner_text("#error")
        assert await page.input_value("#email") == email
        assert await page.input_value("#password") == ""
        await page.fill("#password", PASSWORD)
        await page.click("#sign-in")
        await page.wait_for_url("**/account")

    assert [it for it in complaints if "status of 401" not in it] == []


async def test_all_pages_of_the_account_are_there_in_german_too_until_one_signs_out(
    world: World, browser: Browser
) -> None:
    email = await world.registered()

    async with tab(browser, locale="de-AT") as (page, complaints):
        await page.goto(f"{world.settings.issuer}/login")
        await sign_in(page, email)
        await page.wait_for_url("**/account")
        headings = []
        for place in ACCOUNT:
            answer = await page.goto(f"{world.settings.issuer}/account{place}")
            assert answer is not None
            assert answer.status == 200
            headings.append(await page.inner_text("h1"))
        await page.click("#sign-out")
        left = await page.inner_text("h1")
        await page.goto(f"{world.settings.issuer}/account")
        assert urlsplit(page.url).path == "/login"

    assert headings == [
        "Ihr Konto", "Profil", "E-Mail-Adresse", "Passwort", "Geräte und Sitzungen", "Anwendungen", "Anmeldeverlauf",
        "Konto löschen",
    ]  # fmt: skip
    assert left == "Sie sind abgemeldet"
    assert complaints == []


async def test_a_frame_of_another_site_shows_no_page(world: World, browser: Browser, callback: Callback) -> None:
    """HD11."""
    async with tab(browser) as (page, complaints):
        await page.goto(callback.url)
        await page.evaluate(
            "(url) => new Promise((done) => { const frame = document.createElement('iframe');"
            " frame.onload = done; frame.src = url; document.body.append(frame); })",
            f"{world.settings.issuer}/login",
        )
        shown = [frame.url for frame in page.frames[1:]]

    assert not any(url.startswith(world.settings.issuer) for url in shown)
    assert any("frame" in complaint for complaint in complaints)
