"""What an attacker's page, address or name can do in a real browser: nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

import httpx
import pytest
from client_site import ClientSite
from hosted import Party, form_of
from playwright.async_api import Browser, BrowserContext, Page
from world import PASSWORD, World

pytestmark = pytest.mark.xdist_group("browser")

# Each would call this, which tells the test.
RAN = "ranForTheAttacker"
PAYLOADS = [
    f'"><script>{RAN}()</script>',
    f"'><img src=x onerror={RAN}()>",
    f'" autofocus onfocus={RAN}() x="',
    f"</title><svg onload={RAN}()>",
    f"javascript:{RAN}()",
    f"<iframe srcdoc='<script>parent.{RAN}()</script>'></iframe>",
    f'<a id=x href="javascript:{RAN}()">x</a>',
    f"<details open ontoggle={RAN}()>",
]


@dataclass
class Victim:
    context: BrowserContext
    page: Page
    ran: list[str] = field(default_factory=list)

    async def cookies(self) -> dict[str, str]:
        return {it["name"]: it["value"] for it in await self.context.cookies()}

    async def sign_in(self, email: str) -> None:
        await self.page.fill("#email", email)
        await self.page.fill("#password", PASSWORD)
        await self.page.click("#sign-in")


@pytest.fixture
async def victim(browser: Browser) -> AsyncIterator[Victim]:
    context = await browser.new_context()
    victim = Victim(context, await context.new_page())

    async def tell(_: object) -> None:
        victim.ran.append(victim.page.url)

    await context.expose_binding(RAN, tell)
    context.set_default_timeout(60_000)
    yield victim
    await context.close()


async def test_no_text_in_an_address_or_a_name_runs(victim: Victim, world: World) -> None:
    """HD6, UI8, RU5: Zitadel CVE-2026-29191."""
    issuer, email = world.settings.issuer, await world.registered()
    for payload in PAYLOADS:
        fields = dict.fromkeys(("request", "token", "notice", "error", "ui_locales", "login_hint", "state"), payload)
        await world.database.execute("UPDATE users SET name = $2 WHERE email_norm = $1", email, payload)
        party = await Party.registered(world, first_party=False, redirect_uris=(f"https://app.example/{payload}",))
        await world.changed_client(party.client, name=payload)
        await victim.context.clear_cookies()
        for path in ("/login", "/verify-email", "/reset-password", "/oauth2/authorize"):
            await victim.page.goto(f"{issuer}{path}?{urlencode(fields)}")
        request = party.request(login_hint=payload, state=payload, prompt="login consent")
        await victim.page.goto(f"{issuer}/oauth2/authorize?{urlencode(request)}")
        await victim.sign_in(email)
        await victim.page.wait_for_selector("#allow")
        for path in ("/account", "/account/profile", "/account/sessions", "/account/history"):
            await victim.page.goto(f"{issuer}{path}")
            await victim.page.wait_for_load_state()

    assert victim.ran == []


async def test_a_page_elsewhere_signs_nobody_in_and_takes_no_cookie_away(
    victim: Victim, world: World, client_site: ClientSite
) -> None:
    """SE7, SE8: not even with a token that the attacker got for another browser, and a sign-in under way goes on."""
    issuer, party = world.settings.issuer, await Party.registered(world, redirect_uris=(client_site.callback,))
    attacker, email = await world.registered(), await world.registered()
    async with httpx.AsyncClient(base_url=issuer, timeout=60, verify=False) as http:
        fields = form_of(await http.get("/login")).fields | {"email": attacker, "password": PASSWORD}
    await victim.page.goto(f"{issuer}/oauth2/authorize?{urlencode(party.request(prompt='login'))}")
    before = await victim.cookies()

    for path in ("/login", "/register", "/account/password", "/oauth2/authorize", "/oauth2/logout"):
        inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
        client_site.pages["/attack"] = (
            f'<form method="post" action="{issuer}{path}">{inputs}</form><script>document.forms[0].submit()</script>'
        )
        other = await victim.context.new_page()
        async with other.expect_response(lambda it: it.request.method == "POST") as answered:
            await other.goto(f"{client_site.origin}/attack")
        assert (await answered.value).status in (303, 400, 403)
        await other.close()

    assert await victim.cookies() == before
    await victim.sign_in(email)
    await victim.page.wait_for_url("**/callback?**")
    assert "code=" in victim.page.url


async def test_a_page_elsewhere_signs_nobody_out(victim: Victim, world: World, client_site: ClientSite) -> None:
    """SE6, SE8: by form, image, frame or fetch."""
    issuer = world.settings.issuer
    await victim.page.goto(f"{issuer}/login")
    await victim.sign_in(await world.registered())
    await victim.page.wait_for_url(f"{issuer}/account")
    sources = "".join(
        f'<img src="{issuer}{path}"><iframe src="{issuer}{path}"></iframe>' for path in ("/logout", "/oauth2/logout")
    )
    client_site.pages["/attack"] = (
        f'{sources}<script>fetch("{issuer}/logout", {{method: "POST", mode: "no-cors", credentials: "include"}})</script>'
        f'<form method="post" action="{issuer}/logout"><input name="decision" value="sign-out"></form>'
        "<script>onload = () => document.forms[0].submit()</script>"
    )

    async with victim.page.expect_response(
        lambda it: it.request.method == "POST" and it.request.is_navigation_request()
    ) as sent:
        await victim.page.goto(f"{client_site.origin}/attack")
    assert (await sent.value).status == 403
    await victim.page.wait_for_url(f"{issuer}/logout")
    await victim.page.goto(f"{issuer}/account")

    assert victim.page.url == f"{issuer}/account"
