"""Requests to sign out that are none, or come from another site (group N)."""

from __future__ import annotations

import asyncio

import pytest
from hosted import Browser, button_of, form_of
from leaving import OUT, asks, is_refused, signed_in
from world import World

# Requests that are none.


@pytest.mark.parametrize("name", ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "extra"])
async def test_a_repeated_parameter_is_refused(world: World, name: str) -> None:
    async with signed_in(world) as user:
        given = {"id_token_hint": user.hint, "client_id": user.client_id, "state": "s", "extra": "x"}
        given["post_logout_redirect_uri"] = OUT
        pairs = [*given.items(), (name, given[name])]

        assert is_refused(await user.browser.get("/oauth2/logout", params=pairs))
        assert is_refused(await user.browser.http.post("/oauth2/logout", data={**given, name: [given[name]] * 2}))
        assert await user.is_signed_in()


@pytest.mark.parametrize("query", ["a=%ff", "a=%00", "&".join(f"p{n}=1" for n in range(60)), f"state={'a' * 5000}"])
async def test_a_query_that_cannot_be_read_is_refused(world: World, query: str) -> None:
    assert is_refused(await world.http.get(f"/oauth2/logout?{query}"))


# Cross-site requests.


async def test_a_get_signs_nobody_out(world: World) -> None:
    """LO10, SE10: whatever image or link leads there."""
    async with signed_in(world) as user:
        for path in ("/logout", "/oauth2/logout", f"/oauth2/logout?client_id={user.client_id}"):
            assert asks(await user.browser.follow(await user.browser.get(path)))
        assert (await user.browser.get("/auth/logout")).status_code == 405
        assert await user.is_signed_in()


@pytest.mark.parametrize("path", ["/logout", "/oauth2/logout"])
@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_refused(world: World, method: str, path: str) -> None:
    """LO10."""
    async with signed_in(world) as user:
        answer = await user.browser.http.request(method, path, params={"id_token_hint": user.hint})

        assert answer.status_code == 405
        assert await user.is_signed_in()


async def test_only_our_own_form_signs_out(world: World) -> None:
    """SE6, SE8: not without its token, with that of another session, or from another site."""
    async with signed_in(world) as user, signed_in(world) as other:
        page = await user.browser.get("/logout")
        fields = form_of(page).fields | button_of(page, "sign-out")
        theirs = form_of(await other.browser.get("/logout")).fields
        attempts: list[tuple[dict[str, str], dict[str, str]]] = [
            ({}, {}),
            (fields | {"csrf_token": ""}, {}),
            (fields | {"csrf_token": theirs["csrf_token"]}, {}),
            (fields, {"Origin": "https://evil.example"}),
            (fields | {"csrf_token": theirs["csrf_token"]}, {"Origin": "null"}),
            (fields, {"Sec-Fetch-Site": "cross-site", "Origin": "null"}),
            (fields, {"Sec-Fetch-Site": "cross-site"}),
            (fields, {"Sec-Fetch-Site": "same-site"}),
        ]
        for data, headers in attempts:
            answer = await user.browser.http.post("/logout", data=data, headers=headers)
            assert answer.status_code == 403, (data, headers)
        assert await user.is_signed_in()
        assert (await user.browser.submit(page, "sign-out")).status_code == 200
        assert not await user.is_signed_in()


async def test_a_handle_is_of_use_in_its_own_browser_only(world: World) -> None:
    """SE12."""
    async with signed_in(world) as user, signed_in(world) as thief:
        page = await user.logout(client_id=user.client_id, post_logout_redirect_uri=OUT)
        handle = form_of(page).fields["request"]

        assert is_refused(await thief.browser.get("/logout", params={"request": handle}))
        own = await thief.browser.get("/logout")
        done = await thief.browser.submit(own, "sign-out", request=handle)
        assert "location" not in done.headers
        assert await user.is_signed_in()
        assert (await user.browser.submit(page, "sign-out")).headers["location"] == OUT


async def test_the_first_browser_that_follows_a_post_keeps_the_handle(world: World) -> None:
    """SE12."""
    async with signed_in(world) as user, signed_in(world) as thief:
        sent = await world.http.post("/oauth2/logout", data={"client_id": user.client_id})
        assert asks(await user.browser.get(sent.headers["location"]))

        assert is_refused(await thief.browser.get(sent.headers["location"]))


@pytest.mark.parametrize("handle", ["x", "", "a" * 5000, "%00", "../x"])
async def test_a_handle_that_stands_for_nothing_is_refused_or_ignored(world: World, handle: str) -> None:
    async with Browser(world) as browser:
        answer = await browser.get("/logout", params={"request": handle})

    assert answer.status_code == (400 if handle else 200)


async def test_requests_that_race_a_logout_do_not_bring_the_session_back(world: World) -> None:
    """SE17."""
    async with signed_in(world) as user:
        kept = {"Cookie": f"idp-session={user.browser.cookie('idp-session')}"}
        racing = [world.http.get("/logout", headers=kept) for _ in range(40)]
        await asyncio.gather(user.logout(id_token_hint=user.hint), *racing)
        after = await world.http.get("/logout", headers=kept)

        assert "You are signed out" in after.text


async def test_the_pages_are_kept_by_nobody_and_framed_by_nobody(world: World) -> None:
    """SE18, HD6."""
    async with signed_in(world) as user:
        page = await user.logout()
        done = await user.browser.submit(page, "sign-out")

        for answer in (page, done):
            assert answer.headers["cache-control"] == "no-store"
            assert "Cookie" in answer.headers["vary"]
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
