"""A user who has signed in at a client over the hosted pages, and how the client or the user ends that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from hosted import Browser, Party, claims_of
from world import World

OUT = "https://app.example/signed-out"


@dataclass
class SignedIn:
    world: World
    party: Party
    browser: Browser
    email: str
    code: str
    tokens: dict[str, Any]

    @property
    def hint(self) -> str:
        return str(self.tokens["id_token"])

    @property
    def client_id(self) -> str:
        return self.party.client.client_id

    async def logout(self, **parameters: str) -> httpx.Response:
        """As the client asks: the first page that this leads to, or where it leads away from us."""
        return await self.browser.follow(await self.browser.get("/oauth2/logout", params=parameters))

    async def is_signed_in(self) -> bool:
        """Whether the browser's session still answers for the user, without a page."""
        return "code" in await self.browser.authorized(self.party.again(), self.email, prompt="none")

    async def is_dead(self) -> bool:
        """Of the tokens: neither is worth anything here."""
        refreshed = await self.party.refresh(self.tokens["refresh_token"])
        userinfo = await self.world.userinfo(self.tokens["access_token"])
        outcomes = (refreshed.status_code, userinfo.status_code)
        assert outcomes in ((400, 401), (200, 200)), outcomes
        return outcomes == (400, 401)


@asynccontextmanager
async def signed_in(
    world: World, browser: Browser | None = None, email: str | None = None, **properties: Any
) -> AsyncIterator[SignedIn]:
    """*properties* of the client. With *browser*, one more client for who is signed in there as *email*."""
    party = await Party.registered(world, **{"post_logout_redirect_uris": (OUT,)} | properties)
    email = email or await world.registered()
    if browser is not None:
        yield await _through(world, party, browser, email)
        return
    async with Browser(world) as new:
        yield await _through(world, party, new, email)


async def _through(world: World, party: Party, browser: Browser, email: str) -> SignedIn:
    code = (await browser.authorized(party, email))["code"]
    done = await party.redeem(code)
    assert done.status_code == 200, done.text
    return SignedIn(world, party, browser, email, code, done.json())


def asks(page: httpx.Response) -> bool:
    return page.status_code == 200 and 'id="sign-out"' in page.text


def is_refused(page: httpx.Response) -> bool:
    """By a page of ours that leads nowhere."""
    return page.status_code == 400 and 'id="error"' in page.text and "location" not in page.headers


def sub(user: SignedIn) -> str:
    return str(claims_of(user.hint)["sub"])


def sid(user: SignedIn) -> str:
    return str(claims_of(user.hint)["sid"])
