"""Signing out on the hosted pages, at a client's wish (OpenID Connect RP-Initiated Logout 1.0) or at the user's own."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hosted import Browser, answer_of, button_of, form_of
from leaving import OUT, asks, is_refused, signed_in
from world import World

# The modules of the conformance suite's plan for logout that a client begins (LO1), by their names.


async def test_without_parameters_the_user_is_asked_and_then_signed_out(world: World) -> None:
    """LO1: oidcc-rp-initiated-logout-no-params. LO2."""
    async with signed_in(world) as user:
        page = await user.logout()
        done = await user.browser.submit(page, "sign-out")

        assert asks(page)
        assert (done.status_code, "location" in done.headers) == (200, False)
        assert not await user.is_signed_in()


async def test_without_a_hint_the_user_is_asked_and_then_sent_back(world: World) -> None:
    """LO1: oidcc-rp-initiated-logout-no-id-token-hint. LO2."""
    async with signed_in(world) as user:
        page = await user.logout(client_id=user.client_id, post_logout_redirect_uri=OUT, state="s")
        done = await user.browser.submit(page, "sign-out")

        assert asks(page)
        assert "Test" in page.text
        assert done.headers["location"] == f"{OUT}?state=s"
        assert not await user.is_signed_in()


NO_HINTS = ["undefined", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "é", "a" * 9_000]


@pytest.mark.parametrize("hint", NO_HINTS, ids=lambda hint: hint[:9])
async def test_with_a_bad_hint_the_user_is_asked_and_sent_nowhere(world: World, hint: str) -> None:
    """LO1: oidcc-rp-initiated-logout-bad-id-token-hint. LO2: nothing says whose the redirect URI is, and the page says so."""
    async with signed_in(world) as user:
        page = await user.logout(id_token_hint=hint, post_logout_redirect_uri=OUT, state="s")

        assert asks(page)
        assert "id_token_hint is no ID token of this server" in page.text
        assert OUT not in page.text
        assert await user.is_signed_in()
        done = await user.browser.submit(page, "sign-out")
        assert (done.status_code, "location" in done.headers) == (200, False)
        assert not await user.is_signed_in()


async def test_with_a_modified_hint_the_user_is_asked_and_sent_nowhere(world: World) -> None:
    """LO1: oidcc-rp-initiated-logout-modified-id-token-hint. LO2."""
    async with signed_in(world) as user:
        head, _, signature = user.hint.rpartition(".")
        turned = "A" if signature[5] != "A" else "B"
        hint = f"{head}.{signature[:5]}{turned}{signature[6:]}"
        page = await user.logout(id_token_hint=hint, post_logout_redirect_uri=OUT, state="s")
        unsigned = await user.logout(id_token_hint=f"{head}.", post_logout_redirect_uri=OUT, state="s")

        for seen in (page, unsigned):
            assert asks(seen)
            assert "id_token_hint is no ID token of this server" in seen.text
        assert await user.is_signed_in()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("hint", NO_HINTS[:3])
async def test_with_a_bad_hint_the_client_id_still_leads_back(world: World, hint: str, method: str) -> None:
    """LO2: as without one."""
    async with signed_in(world) as user:
        asking = {"id_token_hint": hint, "client_id": user.client_id, "post_logout_redirect_uri": OUT, "state": "s"}
        sent = {"params": asking} if method == "GET" else {"data": asking}
        page = await user.browser.follow(await user.browser.http.request(method, "/oauth2/logout", **sent))
        done = await user.browser.submit(page, "sign-out")

        assert asks(page)
        assert "id_token_hint" not in page.text
        assert done.headers["location"] == f"{OUT}?state=s"
        assert not await user.is_signed_in()


async def test_with_a_bad_hint_who_is_not_signed_in_is_told_so(world: World) -> None:
    """LO2."""
    async with Browser(world) as browser:
        asking = {"id_token_hint": "undefined", "post_logout_redirect_uri": OUT}
        done = await browser.get("/oauth2/logout", params=asking)

    assert (done.status_code, "location" in done.headers) == (200, False)
    assert "You are signed out" in done.text


async def test_without_a_redirect_uri_our_page_says_that_it_is_done(world: World) -> None:
    """LO1: oidcc-rp-initiated-logout-no-post-logout-redirect-uri."""
    async with signed_in(world) as user:
        page = await user.logout(id_token_hint=user.hint, state="s")

        assert (page.status_code, "location" in page.headers) == (200, False)
        assert "You are signed out" in page.text
        assert not await user.is_signed_in()


@pytest.mark.parametrize("uri", ["https://evil.example/", "https://app.example/callback", "x", "javascript:alert(1)"])
async def test_a_bad_redirect_uri_is_refused_and_signs_nobody_out(world: World, uri: str) -> None:
    """LO1: oidcc-rp-initiated-logout-bad-post-logout-redirect-uri. LO5."""
    async with signed_in(world) as user:
        page = await user.logout(id_token_hint=user.hint, post_logout_redirect_uri=uri, state="s")

        assert is_refused(page)
        assert await user.is_signed_in()


async def test_a_query_added_to_the_redirect_uri_is_refused(world: World) -> None:
    """LO1: oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri. LO5, RU8."""
    async with signed_in(world) as user:
        page = await user.logout(id_token_hint=user.hint, post_logout_redirect_uri=f"{OUT}?foo=bar", state="s")

        assert is_refused(page)
        assert await user.is_signed_in()


async def test_without_a_state_the_redirect_adds_nothing(world: World) -> None:
    """LO1: oidcc-rp-initiated-logout-no-state."""
    async with signed_in(world) as user:
        done = await user.logout(id_token_hint=user.hint, post_logout_redirect_uri=OUT)

        assert (done.status_code, done.headers["location"]) == (303, OUT)


@pytest.mark.parametrize("state", ["s", "a b&c/é\"'<>#?=%00", "x" * 4000])
async def test_a_state_comes_back_as_it_was_given(world: World, state: str) -> None:
    """LO1: oidcc-rp-initiated-logout. LO6."""
    async with signed_in(world) as user:
        done = await user.logout(id_token_hint=user.hint, post_logout_redirect_uri=OUT, state=state)

        assert done.status_code == 303
        assert done.headers["location"].partition("?")[0] == OUT
        assert parse_qs(urlsplit(done.headers["location"]).query) == {"state": [state]}
        assert not await user.is_signed_in()


async def test_a_state_alone_is_asked_for_and_told_to_nobody(world: World) -> None:
    """LO1: oidcc-rp-initiated-logout-only-state."""
    async with signed_in(world) as user:
        page = await user.logout(state="s")
        done = await user.browser.submit(page, "sign-out")

        assert asks(page)
        assert "location" not in done.headers
        assert not await user.is_signed_in()


async def test_after_it_a_client_that_wants_no_page_is_told_login_required(world: World) -> None:
    """LO1: oidcc-prompt-none-not-logged-in, after the logout. AZ10."""
    async with signed_in(world) as user:
        await user.logout(id_token_hint=user.hint)
        answer = answer_of(await user.browser.authorize(user.party, prompt="none"))

        assert answer["error"] == "login_required"


# What ends.


async def test_everything_that_hangs_on_the_browser_session_ends_before_the_answer(world: World) -> None:
    """LO7: of the client that asks and of the others in that browser; nothing of another browser."""
    async with (
        signed_in(world) as user,
        signed_in(world, user.browser, user.email) as beside,
        signed_in(world, email=user.email) as elsewhere,
    ):
        await user.logout(id_token_hint=user.hint, post_logout_redirect_uri=OUT)

        assert await user.is_dead()
        assert await beside.is_dead()
        assert not await elsewhere.is_dead()
        assert await elsewhere.is_signed_in()
        events = await world.events("signed_out", user_id=await user_id(world, user.email))
        assert [event["detail"]["reason"] for event in events] == ["signed_out"]
        ended = await world.events("session_revoked", user_id=await user_id(world, user.email))
        assert {event["client_id"] for event in ended} == {user.client_id, beside.client_id}


async def test_the_cookie_is_taken_away_and_worth_nothing_if_it_is_kept(world: World) -> None:
    """SE4."""
    async with signed_in(world) as user:
        kept = user.browser.cookie("idp-session")
        done = await user.logout(id_token_hint=user.hint)
        async with Browser(world, Cookie=f"idp-session={kept}") as thief:
            page = await thief.get("/login")

        assert any("idp-session=;" in line and "Max-Age=0" in line for line in done.headers.get_list("set-cookie"))
        assert user.browser.cookie("idp-session") is None
        assert page.status_code == 200  # of who is signed in it would be a redirect


async def test_a_user_signs_out_without_any_client(world: World) -> None:
    async with Browser(world) as browser:
        await browser.signed_in(await world.registered())
        page = await browser.get("/logout")
        done = await browser.submit(page, "sign-out")

        assert asks(page)
        assert "Ada" in page.text
        assert "You are signed out" in done.text
        assert (await browser.get("/login")).status_code == 200


async def test_who_stays_is_still_signed_in_and_the_request_is_gone(world: World) -> None:
    async with signed_in(world) as user:
        page = await user.logout(client_id=user.client_id, post_logout_redirect_uri=OUT)
        stayed = await user.browser.http.post("/logout", data=form_of(page).fields | button_of(page, "stay"))
        again = await user.browser.get(str(page.url))

        assert (stayed.status_code, stayed.headers["location"]) == (303, "/account")
        assert is_refused(again)
        assert await user.is_signed_in()


async def test_who_is_not_signed_in_is_told_so(world: World) -> None:
    async with Browser(world) as browser:
        alone, asked = await browser.get("/logout"), await browser.get("/oauth2/logout")

    assert "You are signed out" in alone.text
    assert "You are signed out" in asked.text


async def test_who_is_not_signed_in_is_sent_back_to_the_client_that_asked(world: World) -> None:
    async with signed_in(world) as user:
        parameters = {"client_id": user.client_id, "post_logout_redirect_uri": OUT}
        done = await world.http.get("/oauth2/logout", params=parameters)

        assert done.headers["location"] == OUT
        assert await user.is_signed_in()


async def test_a_request_by_post_is_the_same_as_one_by_get(world: World) -> None:
    """A form of another site brings no cookies of ours; with the redirect that follows they come."""
    async with signed_in(world) as user:
        form = {"id_token_hint": user.hint, "post_logout_redirect_uri": OUT, "state": "s"}
        sent = await world.http.post("/oauth2/logout", data=form, headers={"Origin": "https://app.example"})
        assert sent.status_code == 303
        assert "set-cookie" not in sent.headers
        assert await user.is_signed_in()
        done = await user.browser.follow(await user.browser.get(sent.headers["location"]))

        assert done.headers["location"] == f"{OUT}?state=s"
        assert not await user.is_signed_in()


async def test_a_post_without_a_hint_asks(world: World) -> None:
    async with signed_in(world) as user:
        sent = await world.http.post("/oauth2/logout", data={"client_id": user.client_id})
        page = await user.browser.get(sent.headers["location"])
        assert asks(page)
        assert await user.is_signed_in()
        await user.browser.submit(page, "sign-out")

        assert not await user.is_signed_in()


async def test_an_address_that_has_signed_out_once_does_not_do_so_again(world: World) -> None:
    async with signed_in(world) as user:
        sent = await world.http.post("/oauth2/logout", data={"id_token_hint": user.hint})
        await user.browser.get(sent.headers["location"])
        await user.browser.authorized(user.party.again(), user.email)

        assert is_refused(await user.browser.get(sent.headers["location"]))
        assert await user.is_signed_in()


async def test_the_pages_speak_the_language_that_the_client_wants(world: World) -> None:
    async with signed_in(world) as user:
        page = await user.logout(ui_locales="de")
        done = await user.browser.submit(page, "sign-out")

        assert '<html lang="de"' in page.text
        assert '<html lang="de"' in done.text


async def test_unknown_and_unused_parameters_are_ignored(world: World) -> None:
    async with signed_in(world) as user:
        done = await user.logout(id_token_hint=user.hint, logout_hint=user.email, extra="foobar", client_id="")

        assert "You are signed out" in done.text


async def test_the_way_back_is_lost_when_the_client_gives_it_up_meanwhile(world: World) -> None:
    async with signed_in(world) as user:
        page = await user.logout(client_id=user.client_id, post_logout_redirect_uri=OUT)
        await world.changed_client(user.party.client, post_logout_redirect_uris=())
        done = await user.browser.submit(page, "sign-out")

        assert "location" not in done.headers
        assert not await user.is_signed_in()


async def test_an_apps_own_scheme_is_a_place_to_go_back_to(world: World) -> None:
    uri = "com.example.app:/signed-out"
    async with signed_in(world, post_logout_redirect_uris=(uri,), application_type="native") as user:
        page = await user.logout(client_id=user.client_id, post_logout_redirect_uri=uri)
        done = await user.browser.submit(page, "sign-out")

        assert "form-action" not in page.headers["content-security-policy"]
        assert done.headers["location"] == uri


async def user_id(world: World, email: str) -> object:
    return await world.database.fetchval("SELECT id FROM users WHERE email_norm = $1", email)
