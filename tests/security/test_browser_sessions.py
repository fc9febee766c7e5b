"""Sign-ins on our pages: their cookies, how they begin and end (SE1 to SE5, SE13, SE15, SE17, SE18)."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hosted import Browser, Party, form_of
from world import PASSWORD, World

from idp.app import create_app
from idp.domain.sign_in.browser_sessions import digest_of, new_token

SESSION = "idp-session"


async def is_signed_in(world: World, token: str | None, *, name: str = SESSION) -> bool:
    async with Browser(world) as browser:
        answer = await browser.get("/account", headers={"Cookie": f"{name}={token}"})
    assert answer.status_code in (200, 303)
    return answer.status_code == 200


async def moved(world: World, token: str, **spans: timedelta) -> None:
    """The record's instants, that much earlier."""
    for column, span in spans.items():
        await world.database.execute(
            f"UPDATE browser_sessions SET {column} = {column} - $2::interval WHERE token_digest = $1",
            digest_of(token),
            span,
        )


@pytest.fixture
async def email(world: World) -> str:
    return await world.registered()


@pytest.fixture
async def browser(world: World, email: str) -> AsyncIterator[Browser]:
    async with Browser(world) as browser:
        await browser.signed_in(email)
        yield browser


def attributes(answer: httpx.Response) -> dict[str, set[str]]:
    """Of each cookie that *answer* sets."""
    found = {}
    for header in answer.headers.get_list("set-cookie"):
        pair, *rest = header.split("; ")
        found[pair.partition("=")[0]] = {it for it in rest if not it.startswith("Max-Age=")}
    return found


@pytest.mark.parametrize(
    ("issuer", "prefix", "path"),
    [
        ("https://id.example", "__Host-", "/"),
        ("http://localhost:8000", "", "/"),
        ("https://example.com/a/id", "__Secure-", "/a/id"),
        ("http://localhost:8000/id", "", "/id"),
    ],
)
async def test_cookies_are_for_this_issuer_and_no_script(
    world: World, email: str, issuer: str, prefix: str, path: str
) -> None:
    """SE1, SE21. Over https the name itself keeps other hosts of the domain from planting one, where no path is in the way."""
    app: Any = create_app(world.services, replace(world.settings, issuer=issuer))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=issuer) as http:
        page = await http.get("/login")
        done = await http.post(
            "/login", data=form_of(page).fields | {"email": email, "password": PASSWORD, "remember": "true"}
        )

    cookies = attributes(page) | attributes(done)
    expected = {f"Path={path}", "HttpOnly", "SameSite=Lax"} | ({"Secure"} if prefix else set())
    assert cookies == dict.fromkeys((f"{prefix}idp-browser", f"{prefix}{SESSION}", f"{prefix}idp-device"), expected)


async def test_a_sign_in_that_is_not_remembered_ends_with_the_window(world: World, email: str) -> None:
    """SE1."""
    async with Browser(world) as browser:
        lasting = (
            {"remember": "true"} | form_of(await browser.get("/login")).fields | {"email": email, "password": PASSWORD}
        )
        remembered = await browser.http.post("/login", data=lasting)
        browser.http.cookies.delete(SESSION)
        short = await browser.signed_in(email)

    assert "Max-Age" in next(it for it in remembered.headers.get_list("set-cookie") if it.startswith(SESSION))
    assert "Max-Age" not in next(it for it in short.headers.get_list("set-cookie") if it.startswith(SESSION))


def test_ten_thousand_ids_share_nothing() -> None:
    """SE2: 256 bits each."""
    tokens = {new_token() for _ in range(10_000)}

    assert len({token[:10] for token in tokens}) == 10_000
    assert {len(base64.urlsafe_b64decode(f"{token}=")) for token in tokens} == {32}


async def test_no_store_holds_what_the_cookie_holds(world: World, browser: Browser) -> None:
    """SE2, LG1."""
    token = browser.cookie(SESSION) or ""
    row = await world.database.fetchrow("SELECT * FROM browser_sessions WHERE token_digest = $1", digest_of(token))

    assert row is not None
    assert token not in str(dict(row))
    assert [key async for key in world.cache.scan_iter(match=f"*{token}*")] == []


async def test_a_cookie_that_was_planted_is_not_who_signs_in(world: World, email: str) -> None:
    """SE3; Keycloak CVE-2026-7507, Zitadel CVE-2024-28197."""
    planted = new_token()
    async with Browser(world) as browser:
        browser.http.cookies.set(SESSION, planted, domain="localhost.local")
        fields = form_of(await browser.get("/login")).fields
        answer = await browser.http.post("/login", data=fields | {"email": email, "password": PASSWORD})

    given = re.search(rf"{SESSION}=([\w-]+)", " ".join(answer.headers.get_list("set-cookie")))
    assert given
    assert given[1] != planted
    assert await is_signed_in(world, given[1])
    assert not await is_signed_in(world, planted)


async def test_each_sign_in_gives_another_cookie_and_the_old_one_is_dead(
    world: World, browser: Browser, email: str
) -> None:
    """SE3: also for the same user in the same browser; Keycloak CVE-2026-7507."""
    old = browser.cookie(SESSION)
    page = await browser.authorize(await Party.registered(world), prompt="login")
    await browser.sign_in(page, email)

    assert browser.cookie(SESSION) != old
    assert not await is_signed_in(world, old)
    assert await is_signed_in(world, browser.cookie(SESSION))


async def test_another_user_gets_another_session_and_the_first_is_over(world: World, browser: Browser) -> None:
    """SE13; Keycloak GHSA-c9h6-v78w-52wj, CVE-2025-12390."""
    party, other = await Party.registered(world), await world.registered()
    old, before = browser.cookie(SESSION), await row_of(world, browser)
    page = await browser.authorize(party, prompt="login")
    cancelled = await browser.get("/account")
    wrong = await browser.sign_in(page, other, "Wrong-Horse-7")
    still = await row_of(world, browser)
    await browser.sign_in(page, other)
    after = await row_of(world, browser)

    assert cancelled.status_code == 200
    assert wrong.status_code == 401
    assert still == before
    assert after["id"] != before["id"]
    assert after["user_id"] != before["user_id"]
    assert not await is_signed_in(world, old)
    assert other in (await browser.get("/account")).text


async def row_of(world: World, browser: Browser) -> dict[str, Any]:
    digest = digest_of(browser.cookie(SESSION) or "")
    row = await world.database.fetchrow(
        "SELECT id, user_id, auth_time FROM browser_sessions WHERE token_digest = $1", digest
    )
    assert row is not None
    return dict(row)


async def test_what_was_ended_elsewhere_is_over_at_once_and_at_every_node(
    world: World, strict: World, browser: Browser, email: str
) -> None:
    """SE4, SE15."""
    token, row = browser.cookie(SESSION), await row_of(world, browser)
    async with Browser(world) as other:
        await other.signed_in(email)
        csrf = form_of(await other.get("/account/sessions")).fields
        await other.http.post("/account/sessions", data=csrf | {"browser": str(row["id"])})

    assert not await is_signed_in(world, token)
    there = await strict.http.get("/account", headers={"Cookie": f"{SESSION}={token}"})
    assert there.status_code == 303


@pytest.mark.parametrize("event", ["disabled", "password", "everywhere", "deleted"])
async def test_whatever_ends_the_users_sessions_ends_those_of_browsers(
    world: World, browser: Browser, email: str, event: str
) -> None:
    """SE4, PW22."""
    token, tokens = browser.cookie(SESSION), await world.signed_in(email=email)
    match event:
        case "disabled":
            await world.services.user_administration.disable(str((await row_of(world, browser))["user_id"]))
        case "password":
            given = {"currentPassword": PASSWORD, "newPassword": "Another-Horse-8"}
            await world.call("POST", "/auth/change-password", tokens, json=given)
        case "everywhere":
            await world.call("POST", "/auth/logout-all", tokens)
        case _:
            row = await row_of(world, browser)
            await world.database.execute("DELETE FROM users WHERE id = $1", row["user_id"])

    assert not await is_signed_in(world, token)


async def test_an_unused_session_ends_and_a_used_one_goes_on(world: World, browser: Browser) -> None:
    """SE5: by the clock in the cache, and where that is lost by the record's own."""
    token = browser.cookie(SESSION) or ""
    key = f"bs:{digest_of(token)}"
    idle = world.services.hosted.login.idle
    assert await is_signed_in(world, token)
    assert 0 < await world.cache.pttl(key) <= idle.total_seconds() * 1000

    await moved(world, token, last_used_at=idle)
    used = await is_signed_in(world, token)
    await moved(world, token, last_used_at=idle)
    await world.cache.pexpire(key, 0)
    unused = await is_signed_in(world, token)

    assert used
    assert not unused


async def test_no_use_prolongs_a_session_beyond_its_end(world: World, browser: Browser) -> None:
    """SE5."""
    token = browser.cookie(SESSION) or ""
    assert await is_signed_in(world, token)

    await moved(world, token, expires_at=world.services.hosted.login.lifetime)

    assert not await is_signed_in(world, token)


async def test_losing_the_cache_signs_nobody_out(world: World, browser: Browser) -> None:
    """SE5."""
    token = browser.cookie(SESSION) or ""
    assert await is_signed_in(world, token)

    await world.cache.delete(f"bs:{digest_of(token)}")

    assert await is_signed_in(world, token)


async def test_a_session_in_use_is_not_revived_when_it_ends(world: World, browser: Browser, email: str) -> None:
    """SE17: a hundred requests race the end."""
    token, row = browser.cookie(SESSION), await row_of(world, browser)
    async with httpx.AsyncClient(base_url=world.settings.issuer, timeout=60, verify=False) as http:

        async def use() -> httpx.Response:
            return await http.get("/account", headers={"Cookie": f"{SESSION}={token}"})

        ending = asyncio.create_task(world.services.hosted.login.sign_out(row["id"]))
        answers = await asyncio.gather(*(use() for _ in range(100)))
        await ending

    assert {answer.status_code for answer in answers} <= {200, 303}
    assert [it for answer in answers for it in answer.headers.get_list("set-cookie") if it.startswith(SESSION)] == []
    assert not await is_signed_in(world, token)


async def test_what_sets_a_cookie_is_kept_by_no_cache(world: World, browser: Browser, email: str) -> None:
    """SE18; Flask CVE-2023-30861."""
    async with Browser(world) as other:
        page = await other.get("/login")
        done = await other.signed_in(email)
    mine, away = await browser.get("/account"), await browser.get("/login")

    for answer in (page, done, mine, away):
        assert answer.headers["cache-control"] == "no-store"
        assert "Cookie" in answer.headers["vary"]
    assert all("set-cookie" in answer.headers for answer in (page, done))
