"""An issuer with a path, behind a proxy that strips it and behind one that does not: all that a browser or a client does."""

from __future__ import annotations

import html
import re
from urllib.parse import urljoin, urlsplit

import httpx
from fronts import BELOW, REGISTRATION_TOKEN, Below
from hosted import Browser, Party, answer_of, claims_of
from world import World

from idp.app import beside_quart, pages_of, quart_app
from idp.domain.operation.issuers import FIRST_SEGMENTS

NEW_PASSWORD = "Battery-Staple-8"
AFTER = "https://app.example/bye"
ADDRESS = re.compile(r'(?:href|src|action)="([^"]+)"')
PAGES = (
    "/", "/login", "/register", "/forgot-password", "/reset-password?token=x", "/verify-email?token=x", "/logout", "/api-docs",
    "/account", "/account/profile", "/account/email", "/account/password", "/account/sessions", "/account/applications",
    "/account/history", "/account/delete", "/nowhere",
)  # fmt: skip


async def test_a_whole_sign_in_from_the_client_and_back(pathed: World) -> None:
    """Consent, tokens, userinfo, introspection, refresh, sign-out with a way back."""
    properties = {"first_party": False, "post_logout_redirect_uris": (AFTER,), "public": False}
    party, email = await Party.registered(pathed, **properties), await pathed.registered()
    issuer = pathed.settings.issuer
    async with Browser(pathed) as browser:
        metadata = (await browser.get("/.well-known/openid-configuration")).json()
        page = await browser.follow(await browser.http.get(metadata["authorization_endpoint"], params=party.request()))
        page = await browser.sign_in(page, email)
        assert 'id="allow"' in page.text
        answer = answer_of(await browser.submit(page, "allow"))
        assert answer["iss"] == issuer == metadata["issuer"]

        tokens = (await party.redeem(answer["code"])).json()
        refreshed = (await party.refresh(tokens["refresh_token"])).json()
        bearer = {"Authorization": f"Bearer {refreshed['access_token']}"}
        told = await browser.http.get(metadata["userinfo_endpoint"], headers=bearer)
        worth = await browser.http.post(
            metadata["introspection_endpoint"], data={"token": refreshed["access_token"]}, auth=party.client.auth
        )
        claims = claims_of(refreshed["access_token"])
        assert (told.json()["sub"], worth.json()["active"]) == (claims["sub"], True)
        assert (claims["iss"], claims["aud"]) == (issuer, issuer)

        account = await browser.get("/account")
        assert (account.status_code, urlsplit(str(account.url)).path) == (200, f"{BELOW}/account")
        leaving = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": AFTER, "state": "s"}
        left = await browser.follow(await browser.http.get(metadata["end_session_endpoint"], params=leaving))
        assert left.headers["location"] == f"{AFTER}?state=s"
        assert (await browser.follow(await browser.get("/account"))).url.path == f"{BELOW}/login"


async def test_who_forgot_the_password_sets_another_by_the_link_of_a_mail(pathed: World) -> None:
    email = await pathed.registered()
    async with Browser(pathed) as browser:
        asked = await browser.submit(await browser.get("/forgot-password"), email=email)
        assert asked.status_code == 200
        link = (await pathed.mail(email, "Reset")).link
        assert link.startswith(f"{pathed.settings.issuer}/reset-password?token=")

        done = await browser.submit(await browser.http.get(link), password=NEW_PASSWORD)
        assert "Your password is changed" in done.text
        assert (await browser.signed_in(email, NEW_PASSWORD)).headers["location"] == f"{BELOW}/account"


async def test_every_address_on_every_page_is_there(pathed: World) -> None:
    """Links, forms, assets; signed in, and as nobody. None leads out of the path, none is missing."""
    async with Browser(pathed) as nobody, Browser(pathed) as browser:
        await browser.signed_in(await pathed.registered())
        seen = {}
        for visitor in (nobody, browser):
            for path in PAGES:
                page = await visitor.follow(await visitor.get(path, headers={"Accept": "text/html"}))
                seen |= {urljoin(str(page.url), html.unescape(it)): visitor for it in ADDRESS.findall(page.text)}
        statuses = {url: (await visitor.http.get(url)).status_code for url, visitor in seen.items() if "#" not in url}

    assert len(statuses) > 20
    assert {url for url in statuses if not url.startswith((f"{pathed.settings.issuer}/", "https://"))} == set()
    assert {url: status for url, status in statuses.items() if status not in (200, 303, 405)} == {}


async def test_cookies_are_for_the_path(pathed: World) -> None:
    async with Browser(pathed) as browser:
        await browser.signed_in(await pathed.registered())

        assert {cookie.path for cookie in browser.http.cookies.jar} == {BELOW}
        assert len(browser.http.cookies.jar) == 3


async def test_the_metadata_is_wherever_a_specification_puts_it(pathed: World) -> None:
    """RFC 8414, sections 3.1 and 5: the path goes after the well-known one. OpenID Connect Discovery, section 4.1: before."""
    issuer = pathed.settings.issuer
    host = issuer.removesuffix(BELOW)
    places = [
        f"{issuer}/.well-known/openid-configuration",
        f"{issuer}/.well-known/oauth-authorization-server",
        f"{host}/.well-known/oauth-authorization-server{BELOW}",
        f"{host}/.well-known/openid-configuration{BELOW}",
    ]

    answers = [await pathed.http.get(place) for place in places]

    assert {answer.json()["issuer"] for answer in answers} == {issuer}
    metadata = answers[0].json()
    endpoints = [url for name, url in metadata.items() if name.endswith(("_endpoint", "_uri"))]
    assert len(endpoints) > 6
    assert [url for url in endpoints if not url.startswith(f"{issuer}/")] == []
    assert (await pathed.http.get(metadata["jwks_uri"])).json()["keys"]


async def test_password_managers_are_led_below_the_path(pathed: World) -> None:
    """They ask the host, which may be idp's alone, and never look below a path."""
    host = pathed.settings.issuer.removesuffix(BELOW)

    for asked in (host, pathed.settings.issuer):
        found = await pathed.http.get(f"{asked}/.well-known/change-password")
        assert (found.status_code, found.headers["location"]) == (303, f"{BELOW}/account/password")


async def test_programs_find_all_of_it_below_the_path(pathed: World) -> None:
    """REST, administration, registration of clients, OpenAPI, health, and what pages of other origins may ask."""
    issuer, admin = pathed.settings.issuer, await pathed.admin()
    listed = await pathed.call("GET", "/admin/users", admin)
    description = (await pathed.http.get("/openapi.json")).json()
    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    allowed = await pathed.http.options("/auth/login", headers=preflight)
    bearer = {"Authorization": f"Bearer {REGISTRATION_TOKEN}"}
    registered = await pathed.post("/oauth2/register", headers=bearer, redirect_uris=["https://app.example/cb"])
    managing = registered.json()["registration_client_uri"]
    read = await pathed.http.get(
        managing, headers={"Authorization": f"Bearer {registered.json()['registration_access_token']}"}
    )
    missing = await pathed.http.get("/auth/nowhere")

    assert listed.status_code == 200
    assert description["servers"] == [{"url": issuer}]
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    assert managing.startswith(f"{issuer}/oauth2/register/")
    assert read.status_code == 200
    assert (missing.status_code, missing.json()["error"]) == (404, "not_found")
    assert (await pathed.http.get("/health/ready")).status_code == 200
    assert (await pathed.http.get("/metrics")).status_code == 200


async def test_the_demo_is_below_the_path(pathed: World) -> None:
    entrance = await pathed.http.get("/demo")
    page = await pathed.http.get(entrance.headers["location"])

    assert entrance.headers["location"] == f"{pathed.settings.issuer}/demo/"
    sources = re.findall(r'(?:src|href)="([a-z]+\.[a-z]+)"', page.text)
    assert len(sources) == 2
    assert {(await pathed.http.get(urljoin(str(page.url), it))).status_code for it in sources} == {200}


async def test_probes_of_the_node_itself_need_no_path(below: Below) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{below.front.to}") as node:
        for path in ("/health/ready", "/health/live", "/metrics", f"{BELOW}/health/ready"):
            assert (await node.get(path)).status_code == 200, path


async def test_two_issuers_of_one_host_know_nothing_of_each_others_sign_ins(world: World, pathed: World) -> None:
    """SE21. Cookies know no ports: both issuers are localhost."""
    email = await pathed.registered()
    async with Browser(pathed) as browser:
        await browser.signed_in(email)
        at_the_root = await browser.http.get(f"{world.settings.issuer}/account")

        assert at_the_root.headers["location"] == "/login"
        assert (await browser.get("/account")).status_code == 200


def test_it_is_known_how_the_paths_of_this_server_begin(world: World) -> None:
    """An issuer whose path is one of these needs a setting, see `Issuer.is_ambiguous`."""
    paths = [rule.rule for rule in quart_app(world.services, world.settings).url_map.iter_rules()]
    paths += beside_quart(world.services, world.settings, pages_of(world.settings))

    assert {path.split("/")[1] for path in paths} - {""} == FIRST_SEGMENTS
