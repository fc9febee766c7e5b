"""oidc-client-ts (npm) in a page of another origin: what most single-page applications sign in with, unmodified."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from chromium import PATIENCE
from client_site import ClientSite
from hosted import GRANTS, SCOPE
from playwright.async_api import Browser, Page, Route
from world import PASSWORD, World

pytestmark = pytest.mark.xdist_group("browser")

LIBRARY = Path(__file__).parents[2] / "examples/node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js"
MANAGER = """
(settings) => {
  window.manager = new oidc.UserManager({ ...settings, userStore: new oidc.WebStorageStateStore({ store: localStorage }) });
}
"""
PLAIN = (
    "(user) => ({ profile: user.profile, access: user.access_token, refresh: user.refresh_token, scope: user.scope })"
)


class Application:
    """A page that has the library and nothing else."""

    def __init__(self, world: World, page: Page, client_id: str, home: str) -> None:
        self.world = world
        self.page = page
        self.client_id = client_id
        self.home = home

    @property
    def callback(self) -> str:
        return f"{self.home}callback"

    async def open(self) -> None:
        await self.page.goto(self.home)
        await self.ready()

    async def ready(self) -> None:
        await self.page.add_script_tag(path=LIBRARY)
        settings = {
            "authority": self.world.settings.issuer,
            "client_id": self.client_id,
            "redirect_uri": self.callback,
            "post_logout_redirect_uri": self.home,
            "scope": SCOPE,
            "loadUserInfo": True,
            "automaticSilentRenew": False,
        }
        await self.page.evaluate(MANAGER, settings)

    async def run(self, script: str) -> Any:
        """What *script* comes to, an expression of `manager`."""
        return await self.page.evaluate(f"async () => {{ const plain = {PLAIN}; return {script} }}")

    async def leave(self, script: str) -> None:
        """*script* leads away from the page: its promise is never kept."""
        await self.page.evaluate(f"() => {{ {script}; }}")

    async def signed_in(self, email: str) -> Any:
        await self.open()
        await self.leave("manager.signinRedirect()")
        await self.page.fill("#email", email)
        await self.page.fill("#password", PASSWORD)
        await self.page.click("#sign-in")
        await self.page.click("#allow")
        await self.page.wait_for_url(f"{self.callback}?**")
        await self.ready()
        return await self.run("plain(await manager.signinRedirectCallback())")


@pytest.fixture
async def application(world: World, browser: Browser, client_site: ClientSite) -> AsyncIterator[Application]:
    if not LIBRARY.is_file():
        pytest.skip("not installed: oidc-client-ts (npm install in examples/)")
    home = f"{client_site.origin}/"
    client = await world.client(
        public=True,
        grant_types=GRANTS,
        origins=(client_site.origin,),
        redirect_uris=(client_site.callback,),
        post_logout_redirect_uris=(home,),
    )
    context = await browser.new_context()
    context.set_default_timeout(PATIENCE)
    try:
        yield Application(world, await context.new_page(), client.client_id, home)
    finally:
        await context.close()


async def test_who_signs_in_is_known_to_the_page(world: World, application: Application) -> None:
    """Discovery, token and userinfo endpoint answer a page of another origin."""
    email = await world.registered()

    user = await application.signed_in(email)

    assert user["profile"]["email"] == email
    assert user["profile"]["name"] == "Ada"
    assert set(user["scope"].split()) == set(SCOPE.split())


async def test_the_page_refreshes_and_revokes(world: World, application: Application) -> None:
    first = await application.signed_in(await world.registered())

    second = await application.run("plain(await manager.signinSilent())")
    await application.run("await manager.revokeTokens(['refresh_token'])")

    assert second["refresh"] != first["refresh"]
    assert second["profile"]["sub"] == first["profile"]["sub"]
    given = {"grant_type": "refresh_token", "client_id": application.client_id, "refresh_token": second["refresh"]}
    assert (await world.token(**given)).json()["error"] == "invalid_grant"


async def test_two_tabs_that_renew_at_the_same_moments_stay_signed_in(world: World, application: Application) -> None:
    """RF23: 20 times. Each request waits for that of the other tab, so that both hold the same refresh token."""
    given = [(await application.signed_in(await world.registered()))["refresh"]]
    page = await application.page.context.new_page()
    tabs = [application, Application(world, page, application.client_id, application.home)]
    await tabs[1].open()
    both = asyncio.Barrier(2)

    async def at_once(route: Route) -> None:
        await both.wait()
        await route.continue_()

    await page.context.route("**/oauth2/token", at_once)
    for _ in range(20):
        one, other = await asyncio.gather(*(tab.run("plain(await manager.signinSilent())") for tab in tabs))
        assert one["refresh"] == other["refresh"]
        given.append(one["refresh"])

    assert len(set(given)) == 21


async def test_who_signs_out_on_the_page_is_signed_out_here(world: World, application: Application) -> None:
    user = await application.signed_in(await world.registered())

    await application.leave("manager.signoutRedirect({ state: 'bye' })")
    await application.page.wait_for_url(f"{application.home}?state=**")
    await application.ready()
    told = await application.run("(await manager.signoutRedirectCallback()).userState")

    assert told == "bye"
    assert await application.run("await manager.getUser()") is None
    given = {"grant_type": "refresh_token", "client_id": application.client_id, "refresh_token": user["refresh"]}
    assert (await world.token(**given)).json()["error"] == "invalid_grant"


async def test_what_the_server_refuses_reaches_the_page(world: World, application: Application) -> None:
    await application.open()

    await application.leave("manager.signinRedirect({ prompt: 'none' })")
    await application.page.wait_for_url(f"{application.callback}?**")
    await application.ready()

    assert await application.run("await manager.signinRedirectCallback().catch((it) => it.error)") == "login_required"
