"""Forms come from a page of ours that the same user saw in the same browser; reading a page changes nothing (SE6 to SE14)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hosted import Browser, Party, form_of
from world import PASSWORD, World

from idp.app import create_app

NEW = "Another-Horse-8"
# Each form, with what it would do.
FORMS: dict[str, dict[str, str]] = {
    "/login": {"email": "x@example.com", "password": PASSWORD},
    "/register": {"name": "Eve", "email": "eve@example.com", "password": PASSWORD},
    "/forgot-password": {"email": "x@example.com"},
    "/reset-password": {"token": "x", "password": NEW},
    "/verify-email": {"token": "x"},
    "/consent": {"decision": "allow"},
    "/select-account": {"choice": "continue"},
    "/account/profile": {"name": "Mallory"},
    "/account/password": {"current_password": PASSWORD, "new_password": NEW},
    "/account/email": {"current_password": PASSWORD, "email": "eve@example.com"},
    "/account/sessions": {"others": "true"},
    "/account/applications": {"client_id": "x"},
    "/account/delete": {"current_password": PASSWORD, "confirm": "true"},
}
OWN = [path for path in FORMS if path.startswith("/account") or path in ("/consent", "/select-account")]


async def footprint(world: World, email: str) -> dict[str, Any]:
    """All that a form of the account could change."""
    user = await world.database.fetchrow("SELECT * FROM users WHERE email_norm = $1", email)
    assert user is not None
    sessions = await world.database.fetch("SELECT id, ended_at FROM browser_sessions WHERE user_id = $1", user["id"])
    mails = await world.mails(email)
    return {"user": dict(user), "sessions": sorted(map(str, sessions)), "mails": len(mails)}


def is_refused(answer: httpx.Response) -> bool:
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "set-cookie" not in answer.headers
    return answer.status_code == 403 and "location" not in answer.headers and 'id="error"' in answer.text


@pytest.mark.parametrize("path", FORMS)
async def test_a_form_without_the_right_token_does_nothing(world: World, path: str) -> None:
    """SE6, SE7."""
    email = await world.registered()
    async with Browser(world) as browser, Browser(world) as other:
        await browser.signed_in(email)
        await other.signed_in(await world.registered())
        foreign = form_of(await other.get("/account/password")).fields["csrf_token"]
        anonymous = form_of(await other.get("/forgot-password")).fields["csrf_token"]
        mine = form_of(await browser.get("/account/password")).fields["csrf_token"]
        before = await footprint(world, email)

        for token in (None, "", "x", foreign, anonymous, mine[:-1], mine.swapcase(), f"{mine}A", "é"):
            answer = await browser.http.post(path, data=FORMS[path] | ({} if token is None else {"csrf_token": token}))
            assert is_refused(answer), token

        assert await footprint(world, email) == before


@pytest.mark.parametrize("path", OWN)
async def test_a_form_that_one_user_saw_is_not_sent_as_another(world: World, path: str) -> None:
    """SE6, SE13: left open in a tab while somebody else signs in in the same browser."""
    first, second = await world.registered(), await world.registered()
    async with Browser(world) as browser:
        await browser.signed_in(first)
        left_open = form_of(await browser.get("/account/password")).fields["csrf_token"]
        page = await browser.authorize(await Party.registered(world), prompt="login")
        await browser.sign_in(page, second)
        before = await footprint(world, second)

        answer = await browser.http.post(path, data=FORMS[path] | {"csrf_token": left_open})

        assert is_refused(answer)
        assert await footprint(world, second) == before


FOREIGN: list[dict[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "Same-Origin"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "cross-site", "Origin": "{issuer}"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    {"Sec-Fetch-Site": "same-site", "Origin": "null"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    {"Origin": "{issuer}.evil.example"},
    {"Origin": "{issuer}/"},
    {"Origin": "https://localhost"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_what_a_browser_says_of_another_site_is_believed(world: World, headers: dict[str, str]) -> None:
    """SE8, SE7: also with the right token."""
    email = await world.registered()
    given = {name: value.format(issuer=world.settings.issuer) for name, value in headers.items()}
    async with Browser(world) as browser:
        fields = form_of(await browser.get("/login")).fields | {"email": email, "password": PASSWORD}

        assert is_refused(await browser.http.post("/login", data=fields, headers=given))
        assert (await browser.get("/account")).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "{issuer}"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    ],
    ids=str,
)
async def test_forms_of_our_own_pages_are_taken(world: World, headers: dict[str, str]) -> None:
    """SE8, SE19: our pages send no referrer, for which browsers write the origin as null."""
    email = await world.registered()
    given = {name: value.format(issuer=world.settings.issuer) for name, value in headers.items()}
    async with Browser(world) as browser:
        fields = form_of(await browser.get("/login")).fields | {"email": email, "password": PASSWORD}

        assert (await browser.http.post("/login", data=fields, headers=given)).status_code == 303


@pytest.mark.parametrize("issuer", ["http://idp.test:8000", "http://localhost:8000", "https://idp.test"])
async def test_without_fetch_metadata_a_form_of_origin_null_needs_its_token(world: World, issuer: str) -> None:
    """SE19, SE6, SE8: old browsers send none, and some proxies drop it. Any site can send the origin null."""
    app: Any = create_app(world.services, replace(world.settings, issuer=issuer))
    email, null = await world.registered(), {"Origin": "null"}
    async with Browser(world) as other, httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=issuer) as http:
        fields = form_of(await http.get("/login")).fields | {"email": email, "password": PASSWORD}
        theirs = form_of(await other.get("/login")).fields["csrf_token"]
        for token in ("", theirs, fields["csrf_token"][:-1]):
            assert is_refused(await http.post("/login", data=fields | {"csrf_token": token}, headers=null))
        assert is_refused(await http.post("/login", data=fields, headers={"Origin": "https://evil.example"}))

        assert (await http.post("/login", data=fields, headers=null)).status_code == 303


async def test_nobody_is_signed_in_as_the_attacker_by_a_form_from_elsewhere(world: World) -> None:
    """SE7: the attacker's own page has a token, but for the attacker's browser."""
    attacker = await world.registered()
    async with Browser(world) as theirs, Browser(world) as victim:
        token = form_of(await theirs.get("/login")).fields["csrf_token"]
        await victim.get("/login")

        answer = await victim.http.post("/login", data={"email": attacker, "password": PASSWORD, "csrf_token": token})

        assert is_refused(answer)
        assert victim.cookie("idp-session") is None


@pytest.mark.parametrize("path", [*FORMS, "/oauth2/authorize"])
async def test_a_form_from_elsewhere_takes_no_cookie_from_the_browser(world: World, path: str) -> None:
    """SE7: it brings none (SameSite), and an answer with a new one would void every page that is open."""
    async with httpx.AsyncClient(base_url=world.settings.issuer, timeout=60, verify=False) as http:
        for fields in ({}, {"client_id": "nobody"}, (await Party.registered(world)).request(scope="admin")):
            answer = await http.post(path, data=fields, headers={"Sec-Fetch-Site": "cross-site"})
            assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/login", "/consent", "/continue", "/select-account", "/register"])
async def test_a_request_that_waits_is_of_use_in_its_own_browser_only(world: World, path: str) -> None:
    """SE12, AZ19; Ory Hydra PR #770, Keycloak CVE-2026-7507, Authlib CVE-2026-41425."""
    party, email = await Party.registered(world, first_party=False), await world.registered()
    async with Browser(world) as victim, Browser(world) as attacker:
        page = await victim.authorize(party)
        handle = form_of(page).fields["request"]
        await attacker.signed_in(await world.registered())

        seen = await attacker.follow(await attacker.get(path, params={"request": handle, "another": "true"}))
        token = form_of(await attacker.get("/account/password")).fields["csrf_token"]
        fields = {"csrf_token": token, "request": handle, "decision": "allow", "choice": "continue"}
        done = await attacker.http.post(path, data=fields)

        assert seen.status_code in (200, 400)
        assert party.client.client_id not in seen.text
        assert "code=" not in done.headers.get("location", "")
        assert not urlsplit(done.headers.get("location", "")).netloc
        consent = await victim.sign_in(page, email)
        assert 'id="allow"' in consent.text


TARGETS = [
    "//evil.example", "/\\evil.example", "/%09/evil.example", "https:evil.example", "https://evil.example", "@evil.example",
    "javascript:alert(1)", "\x01https://evil.example", "／／evil.example", "/../..//evil.example", "data:text/html,x",
]  # fmt: skip
NAMES = [
    "next",
    "return",
    "returnUrl",
    "return_to",
    "redirect",
    "redirect_uri",
    "continue",
    "url",
    "back",
    "RelayState",
    "request",
]


@pytest.mark.parametrize("target", TARGETS)
async def test_no_parameter_leads_away_after_signing_in(world: World, target: str) -> None:
    """SE14; Duende CVE-2024-39694, Werkzeug CVE-2020-28724."""
    email = await world.registered()
    async with Browser(world) as browser:
        for name in NAMES:
            page = await browser.get("/login", params={name: target})
            assert "evil.example" not in page.headers.get("location", "")
        fields = form_of(await browser.get("/login")).fields | {"email": email, "password": PASSWORD}
        query = httpx.QueryParams(dict.fromkeys(NAMES[:-1], target))
        done = await browser.http.post(f"/login?{query}", data=fields | dict.fromkeys(NAMES[:-1], target))
        odd = await browser.http.post("/login", data=fields | {"request": target})

    assert done.headers["location"] == "/account"
    assert (odd.status_code, odd.headers.get("location")) == (400, None)


PAGES = [
    "/",
    "/login",
    "/register",
    "/forgot-password",
    "/reset-password?token=x",
    "/verify-email?token=x",
    "/continue",
    "/consent",
]
PAGES += ["/select-account", "/account", *(path for path in OWN if path.startswith("/account")), "/account/history"]


async def test_looking_at_pages_changes_nothing(world: World) -> None:
    """SE10, RG14: neither GET nor HEAD, whoever is signed in."""
    party, email = await Party.registered(world, first_party=False), await world.registered()
    await world.post("/auth/forgot-password", email=email)
    links = [(await world.mail(email, subject)).link for subject in ("Reset", "Verify")]

    async with Browser(world) as browser:
        await browser.authorized(party, email)
        request = f"/oauth2/authorize?{httpx.QueryParams(party.request(prompt='consent'))}"
        before = await contents(world)
        for path in [*PAGES, *links, request, "/login?another=true", "/account?notice=signed_out&delete=true"]:
            for method in ("GET", "HEAD"):
                answer = await browser.http.request(method, path)
                assert answer.status_code in (200, 303, 400, 405), path

    assert await contents(world) == before


async def contents(world: World) -> dict[str, int]:
    """A digest of every table; the queue of mails empties by itself."""
    tables = await world.database.fetch(
        "SELECT table_schema || '.' || table_name AS name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
        " AND table_schema IN ('public', 'audit') AND table_name <> 'mails'"
    )
    found = {}
    for (name,) in map(tuple, tables):
        found[name] = await world.database.fetchval(
            f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} t"
        )
    assert len(found) > 10
    return found


async def test_every_form_of_every_page_has_a_token(world: World) -> None:
    """SE6: but the one that carries the answer to a client, which must not leak ours."""
    email = await world.registered()
    async with Browser(world) as browser:
        anonymous = [await browser.get(path) for path in PAGES]
        await browser.signed_in(email)
        pages = [*anonymous, *[await browser.get(path) for path in PAGES]]
        answer = await browser.authorize(await Party.registered(world), response_mode="form_post")

    forms = [form for page in pages for form in re.findall(r"<form\b.*?</form>", page.text, re.DOTALL)]
    assert len(forms) > 12
    assert [form for form in forms if 'name="csrf_token" value="' not in form or 'method="post"' not in form] == []
    assert "csrf_token" not in answer.text
