"""Where a user is signed in, ending that, and the end of the account (S24)."""

from __future__ import annotations

from uuid import uuid4

import pytest
from hosted import Browser, Party
from own_account import bearer, delete, user_of
from world import PASSWORD, SCOPE, Tokens, World

from idp.domain.tokens.scopes import ACCOUNT


async def test_the_list_shows_where_a_user_is_signed_in(world: World) -> None:
    firefox = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
    email, client = await world.registered(), await world.client()
    other = await world.signed_in(client, email)
    body = (await world.post("/auth/login", headers=firefox, email=email, password=PASSWORD)).json()
    mine = Tokens(body["accessToken"], body["refreshToken"], "idp-rest", None, email)

    answer = await world.http.get("/auth/sessions", headers=bearer(mine))

    newest, older = answer.json()["sessions"]
    row = await world.session(mine)
    assert newest == {
        "id": str(row["id"]),
        "clientId": "idp-rest",
        "clientName": "REST API",
        "device": "Firefox on Linux",
        "address": "127.0.0.1",
        "createdAt": newest["createdAt"],
        "lastUsedAt": newest["createdAt"],
        "expiresAt": newest["expiresAt"],
        "current": True,
    }
    assert (older["clientId"], older["clientName"], older["current"]) == (other.client_id, "Test", False)


@pytest.mark.parametrize("agent", [b"x" * 5000, b"\xff\xfe\x80 Firefox/1 (Linux)", b"a\tb"])
async def test_whatever_a_device_says_of_itself_it_can_sign_in(world: World, agent: bytes) -> None:
    email = await world.registered()
    body = {"email": email, "password": PASSWORD}

    answer = await world.http.post("/auth/login", headers=[(b"User-Agent", agent)], json=body)

    bearer_header = {"Authorization": f"Bearer {answer.json()['accessToken']}"}
    assert (await world.http.get("/auth/sessions", headers=bearer_header)).status_code == 200


async def test_a_refresh_is_the_last_use_when_the_one_before_is_old(world: World) -> None:
    tokens = await world.signed_in()
    row = await world.session(tokens)
    await world.database.execute(
        "UPDATE sessions SET last_used_at = last_used_at - interval '6 minutes', last_address = NULL WHERE id = $1",
        row["id"],
    )

    refreshed = await world.refreshed(tokens)
    await world.services.session_service.checkpoints.write()

    after = await world.session(refreshed)
    assert after["last_used_at"] > row["last_used_at"]
    assert after["last_address"] == "127.0.0.1"


async def test_a_refresh_soon_after_writes_nothing(world: World) -> None:
    tokens = await world.signed_in()
    before = (await world.session(tokens))["last_used_at"]

    await world.refreshed(tokens)
    await world.services.session_service.checkpoints.write()

    assert (await world.session(tokens))["last_used_at"] == before


async def test_browsers_are_on_the_list_and_end_with_all_that_hangs_on_them(world: World) -> None:
    """SE15."""
    scope = f"{SCOPE} {ACCOUNT}"
    party = await Party.registered(world, scope=scope)
    async with Browser(world) as browser:
        mine = await world.signed_in()
        body = await party.tokens(browser, mine.email, scope=scope)
        inside = Tokens(body["access_token"], body["refresh_token"], party.client.client_id, None, mine.email)

        ((seen,), (own,)) = [
            (await world.http.get("/auth/sessions", headers=bearer(mine))).json()["browsers"],
            (await world.http.get("/auth/sessions", headers=bearer(inside))).json()["browsers"],
        ]
        ended = await world.http.delete(f"/auth/sessions/{seen['id']}", headers=bearer(mine))

        assert seen.keys() == {"id", "device", "address", "createdAt", "lastUsedAt", "expiresAt", "current"}
        assert (seen["current"], own["current"], seen["address"]) == (False, True, "127.0.0.1")
        assert ended.status_code == 204
        assert (await browser.get("/account")).headers["location"] == "/login"
    assert (await party.refresh(inside.refresh_token)).json()["error"] == "invalid_grant"
    assert (await world.http.get("/auth/sessions", headers=bearer(mine))).json()["browsers"] == []


async def test_nobody_sees_or_ends_the_browser_of_somebody_else(world: World) -> None:
    """AD3, SE15."""
    mine = await world.signed_in()
    async with Browser(world) as browser:
        email = await world.registered()
        await browser.signed_in(email)
        (browser_id,) = await world.database.fetchrow(
            "SELECT b.id FROM browser_sessions b JOIN users u ON u.id = b.user_id WHERE u.email_norm = $1", email
        )

        listed = (await world.http.get("/auth/sessions", headers=bearer(mine))).json()["browsers"]
        ended = await world.http.delete(f"/auth/sessions/{browser_id}", headers=bearer(mine))

        assert (listed, ended.status_code) == ([], 404)
        assert (await browser.get("/account")).status_code == 200


async def test_ending_a_session_signs_that_device_out(world: World) -> None:
    """SE15."""
    mine = await world.signed_in()
    other = await world.signed_in(email=mine.email)
    session_id = (await world.session(other))["id"]

    answer = await world.http.delete(f"/auth/sessions/{session_id}", headers=bearer(mine))

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await world.refresh(other)).json()["error"] == "invalid_grant"
    assert (await world.profile(other.access_token)).status_code == 401
    assert (await world.profile(mine.access_token)).status_code == 200
    assert (await world.http.delete(f"/auth/sessions/{session_id}", headers=bearer(mine))).status_code == 404


async def test_nobody_ends_the_session_of_somebody_else(world: World) -> None:
    """AD3, SE15; Zitadel CVE-2025-27507."""
    mine, theirs = await world.signed_in(), await world.signed_in()
    ids = [(await world.session(theirs))["id"], uuid4(), "nonsense"]

    answers = [await world.http.delete(f"/auth/sessions/{it}", headers=bearer(mine)) for it in ids]

    assert [answer.status_code for answer in answers] == [404] * 3
    assert (await world.refresh(theirs)).status_code == 200


async def test_a_deleted_account_leaves_nothing_that_works(world: World) -> None:
    """PW22, S24."""
    client = await world.client()
    tokens = await world.signed_in()
    other = await world.signed_in(client, tokens.email)
    user_id = (await user_of(world, tokens.email))["id"]

    answer = await delete(world, tokens)

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await world.profile(tokens.access_token)).status_code == 401
    assert (await world.refresh(other)).json()["error"] == "invalid_grant"
    assert (await world.post("/auth/login", email=tokens.email, password=PASSWORD)).status_code == 401
    for table in ("users WHERE id", "sessions WHERE user_id", "mail_tokens WHERE user_id"):
        assert await world.database.fetchval(f"SELECT count(*) FROM {table} = $1", user_id) == 0
    assert len(await world.events("user_deleted", user_id=user_id)) == 1
    assert await world.mail(tokens.email, "Your account was deleted")


async def test_a_wrong_password_deletes_nothing(world: World) -> None:
    tokens = await world.signed_in()

    answer = await delete(world, tokens, "Wrong-Horse-7")

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_credentials")
    assert (await world.profile(tokens.access_token)).status_code == 200


async def test_the_id_of_a_deleted_account_is_given_to_nobody(world: World) -> None:
    """RG24; Zitadel CVE-2026-55670."""
    tokens = await world.signed_in()
    before = (await user_of(world, tokens.email))["id"]
    await delete(world, tokens)

    await world.post("/auth/register", email=tokens.email, password=PASSWORD, name="Ada")

    assert (await user_of(world, tokens.email))["id"] != before
