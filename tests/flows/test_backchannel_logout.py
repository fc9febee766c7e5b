"""Clients are told that a session has ended (OpenID Connect Back-Channel Logout 1.0), by calls to a real server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import jwt
import pytest
from hosted import Browser, claims_of, form_of
from leaving import SignedIn, signed_in
from own_account import NEW_PASSWORD, change_password, delete
from told import Listener, is_due, listener, notices, queued, until, until_none
from world import Tokens, World

from idp.services.backchannel_logout import PER_CLIENT

EVENT = "http://schemas.openid.net/event/backchannel-logout"


# Every way in which a session ends.


async def by_logout(user: SignedIn) -> None:
    await user.logout(id_token_hint=user.hint)


async def by_the_user_on_our_page(user: SignedIn) -> None:
    await user.browser.submit(await user.browser.get("/logout"), "sign-out")


async def by_the_user_from_elsewhere(user: SignedIn) -> None:
    tokens = await user.world.signed_in(email=user.email)
    await user.world.call("DELETE", f"/auth/sessions/{sid(user)}", tokens)


async def by_ending_the_browser_session_from_another(user: SignedIn) -> None:
    async with Browser(user.world) as other:
        await other.signed_in(user.email)
        await other.submit(await other.get("/account/sessions"), "end-others")


async def by_the_button_of_the_account(user: SignedIn) -> None:
    await user.browser.submit(await user.browser.get("/account"), "sign-out")


async def by_signing_out_everywhere(user: SignedIn) -> None:
    await user.world.call("POST", "/auth/logout-all", await user.world.signed_in(email=user.email))


async def by_a_change_of_password(user: SignedIn) -> None:
    await change_password(user.world, await user.world.signed_in(email=user.email))


async def by_a_reset_of_the_password(user: SignedIn) -> None:
    await user.world.post("/auth/forgot-password", email=user.email)
    token = (await user.world.mail(user.email, "password")).token
    await user.world.post("/auth/reset-password", token=token, newPassword=NEW_PASSWORD)


async def by_an_administrator(user: SignedIn) -> None:
    await user.world.call("DELETE", f"/admin/users/{sub(user)}/sessions", await user.world.admin())


async def by_disabling_the_user(user: SignedIn) -> None:
    await user.world.call("PUT", f"/admin/users/{sub(user)}", await user.world.admin(), json={"status": "disabled"})


async def by_deleting_the_user(user: SignedIn) -> None:
    await user.world.call("DELETE", f"/admin/users/{sub(user)}", await user.world.admin())


async def by_deleting_the_own_account(user: SignedIn) -> None:
    await delete(user.world, await user.world.signed_in(email=user.email))


async def by_withdrawing_the_consent(user: SignedIn) -> None:
    await user.world.changed_client(user.party.client, first_party=False)
    await user.browser.authorized(user.party.again(), user.email)
    fields = form_of(await user.browser.get("/account/applications")).fields
    await user.browser.http.post("/account/applications", data=fields | {"client_id": user.client_id})


async def by_reuse_of_a_refresh_token(user: SignedIn) -> None:
    first = user.tokens["refresh_token"]
    second = (await user.party.refresh(first)).json()["refresh_token"]
    await user.party.refresh(second)
    stolen = Tokens(user.tokens["access_token"], first, user.client_id, None)
    await user.world.time_passes(stolen, user.world.settings.refresh_grace * 2)
    assert (await user.party.refresh(first)).status_code == 400


async def by_reuse_of_the_code(user: SignedIn) -> None:
    refused = await user.party.redeem(user.code)
    assert refused.status_code == 400


WAYS = [
    by_logout,
    by_the_user_on_our_page,
    by_the_user_from_elsewhere,
    by_ending_the_browser_session_from_another,
    by_the_button_of_the_account,
    by_signing_out_everywhere,
    by_a_change_of_password,
    by_a_reset_of_the_password,
    by_an_administrator,
    by_disabling_the_user,
    by_deleting_the_user,
    by_deleting_the_own_account,
    by_withdrawing_the_consent,
    by_reuse_of_a_refresh_token,
    by_reuse_of_the_code,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_the_client_is_told_however_the_session_ends(
    world: World, way: Callable[[SignedIn], Awaitable[None]]
) -> None:
    """LO7."""
    async with listener(world) as client, signed_in(world, backchannel_logout_uri=client.uri) as user:
        await way(user)
        claims = claims_of((await client.told())[0])

        assert (claims["sub"], claims["sid"]) == (sub(user), sid(user))
        await until_none(world, user.client_id)
        assert len(client.tokens) == 1


async def test_who_signs_out_ends_the_sessions_at_every_client_of_the_browser(world: World) -> None:
    """LO7: each is told of its own session."""
    async with (
        listener(world) as first,
        listener(world) as second,
        signed_in(world, backchannel_logout_uri=first.uri) as user,
        signed_in(world, user.browser, user.email, backchannel_logout_uri=second.uri) as beside,
    ):
        await user.logout(id_token_hint=user.hint)

        assert [claims_of(token)["sid"] for token in await first.told()] == [sid(user)]
        assert [claims_of(token)["sid"] for token in await second.told()] == [sid(beside)]


async def test_a_client_that_revokes_a_token_itself_is_not_told_of_it(world: World) -> None:
    async with listener(world) as client, signed_in(world, backchannel_logout_uri=client.uri) as user:
        given = {"token": user.tokens["refresh_token"], "client_id": user.client_id}
        revoked = await world.http.post("/oauth2/revoke", data=given)

        assert revoked.status_code == 200
        assert await user.is_dead()
        assert await notices(world, user.client_id) == []


async def test_a_client_that_does_not_want_to_know_is_not_told(world: World) -> None:
    async with signed_in(world) as user:
        await user.logout(id_token_hint=user.hint)

        assert await notices(world, user.client_id) == []


# What is said.


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_the_logout_token_says_what_the_specification_wants(world: World, algorithm: str) -> None:
    """LO8."""
    await asyncio.to_thread(world.services.keys.provide, [algorithm])
    properties = {"id_token_signed_response_alg": algorithm}
    async with listener(world) as client, signed_in(world, backchannel_logout_uri=client.uri, **properties) as user:
        before = int(time.time())
        await user.logout(id_token_hint=user.hint)
        token = (await client.told())[0]

        head = client.place.asked[0].partition(b"\r\n\r\n")[0]
        assert head.startswith(b"POST /backchannel HTTP/1.1")
        assert b"Content-Type: application/x-www-form-urlencoded" in head
        keys = jwt.PyJWKClient(f"{world.settings.issuer}/.well-known/jwks.json")
        key = await asyncio.to_thread(keys.get_signing_key_from_jwt, token)
        claims = jwt.decode(token, key, [algorithm], audience=user.client_id, issuer=world.settings.issuer)
        assert jwt.get_unverified_header(token)["typ"] == "logout+jwt"
        assert claims.keys() == {"iss", "sub", "aud", "iat", "exp", "jti", "events", "sid"}
        assert claims["events"] == {EVENT: {}}
        assert before <= claims["iat"] < claims["exp"] <= claims["iat"] + 120


async def test_a_logout_token_is_no_other_token(world: World) -> None:
    """TE18, LO8: neither a hint nor an access token."""
    async with listener(world) as client, signed_in(world, backchannel_logout_uri=client.uri) as user:
        await user.logout(id_token_hint=user.hint)
        token = (await client.told())[0]
        hinted = await world.http.get("/oauth2/logout", params={"id_token_hint": token})

        assert hinted.status_code == 400
        assert (await world.profile(token)).status_code == 401


# How it is told.


@pytest.mark.parametrize("status", ["200 OK", "204 No Content"])
async def test_a_client_that_has_taken_it_is_not_told_again(world: World, status: str) -> None:
    async with listener(world, status) as client, signed_in(world, backchannel_logout_uri=client.uri) as user:
        await user.logout(id_token_hint=user.hint)
        await client.told()
        await until_none(world, user.client_id)

        assert len(client.tokens) == 1


@pytest.mark.parametrize("status", ["201 Created", "400 Bad Request", "404 Not Found", "500 Oops"])
async def test_a_client_that_has_not_taken_it_is_told_again(world: World, status: str) -> None:
    async with listener(world, status) as client, signed_in(world, backchannel_logout_uri=client.uri) as user:
        await user.logout(id_token_hint=user.hint)
        waiting = "attempts = 1 AND next_at > now() AND next_at < now() + interval '6 seconds'"
        await until(world, user.client_id, waiting)
        client.place.says(b"")
        await is_due(world, user.client_id)
        first, second = await client.told(2)
        await until_none(world, user.client_id)

        assert claims_of(first)["sid"] == claims_of(second)["sid"]
        assert claims_of(first)["jti"] != claims_of(second)["jti"]


async def test_a_client_that_is_dead_is_told_when_it_is_back(world: World) -> None:
    async with listener(world) as gone:
        uri = gone.uri
    async with signed_in(world, backchannel_logout_uri=uri) as user:
        await user.logout(id_token_hint=user.hint)
        await until(world, user.client_id, "attempts = 1 AND next_at < now() + interval '6 seconds'")
        async with listener(world) as back:
            await world.changed_client(user.party.client, backchannel_logout_uri=back.uri)
            await is_due(world, user.client_id)

            assert [claims_of(token)["sid"] for token in await back.told()] == [sid(user)]
            await until_none(world, user.client_id)


async def test_each_attempt_waits_longer_than_the_one_before(world: World) -> None:
    async with listener(world, "503 Later") as client:
        party = await world.client(backchannel_logout_uri=client.uri)
        await queued(world, party.client_id)
        spans = []
        for attempt in (1, 2, 3):
            row = await until(
                world, party.client_id, f"attempts = {attempt} AND next_at < now() + interval '30 seconds'"
            )
            spans.append(
                await world.database.fetchval("SELECT round(extract(epoch FROM $1 - now()) / 5)", row["next_at"])
            )
            await is_due(world, party.client_id)

    assert spans == [1, 2, 4]


@pytest.mark.parametrize("waited", [{"attempts": 9}, {"minutes": 60}])
async def test_a_notice_is_given_up_with_an_event(world: World, waited: dict[str, int]) -> None:
    async with listener(world, "500 Oops") as client:
        party = await world.client(backchannel_logout_uri=client.uri)
        user_id = await queued(world, party.client_id, **waited)
        await until_none(world, party.client_id)

        (event,) = await world.events("logout_notice_dropped", client_id=party.client_id)
        assert (event["user_id"], event["severity"]) == (user_id, "warning")
        assert event["detail"] == {"attempts": waited.get("attempts", 0) + 1, "reason": "answered 500"}
        assert len(client.tokens) == 1


@pytest.mark.parametrize("change", [{"enabled": False}, {"backchannel_logout_uri": None}, None])
async def test_a_client_that_wants_it_no_more_is_not_told(world: World, change: dict[str, object] | None) -> None:
    async with listener(world) as client:
        party = await world.client(backchannel_logout_uri=client.uri)
        if change is None:
            await world.services.clients.remove(party.client_id)
        else:
            await world.changed_client(party, **change)
        await queued(world, party.client_id)
        await until_none(world, party.client_id)

        assert client.tokens == []
        assert await world.events("logout_notice_dropped", client_id=party.client_id) == []


# Clients that are hostile.


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_not_followed(world: World, status: str) -> None:
    """LO9."""
    async with (
        listener(world) as inside,
        listener(world, status, f"Location: {inside.uri}") as client,
        signed_in(world, backchannel_logout_uri=client.uri) as user,
    ):
        await user.logout(id_token_hint=user.hint)
        await until(world, user.client_id, "attempts = 1 AND next_at < now() + interval '6 seconds'")

        assert inside.place.asked == []


@pytest.mark.parametrize(
    "uri", ["https://10.0.0.1/", "https://169.254.169.254/", "https://[fd00::1]/", "http://a.test/"]
)
async def test_addresses_inside_are_not_called(world: World, uri: str) -> None:
    """LO9."""
    party = await world.client(backchannel_logout_uri=uri)
    await queued(world, party.client_id, attempts=9)
    await until_none(world, party.client_id)

    (event,) = await world.events("logout_notice_dropped", client_id=party.client_id)
    assert event["detail"]["reason"] in ("no address of that name may be called", "asked over https only")


async def test_an_answer_without_end_is_not_read(world: World) -> None:
    """LO9."""

    async def on_and_on(writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while True:
                writer.write(b"1000\r\n" + b"a" * 4096 + b"\r\n")
                await writer.drain()

    async with listener(world) as client, signed_in(world, backchannel_logout_uri=client.uri) as user:
        client.place.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.place.stay = on_and_on
        await user.logout(id_token_hint=user.hint)
        await client.told()
        await until_none(world, user.client_id)

        assert len(client.tokens) == 1


async def test_a_client_that_hangs_keeps_nobody_else_waiting(world: World) -> None:
    """LO9: it has no more than its share of calls, and the others are told meanwhile."""
    async with listener(world) as hanging, listener(world) as other:
        released = hang(hanging)
        slow = await world.client(backchannel_logout_uri=hanging.uri)
        quick = await world.client(backchannel_logout_uri=other.uri)
        for _ in range(20):
            await queued(world, slow.client_id)
        await hanging.told(PER_CLIENT)
        for _ in range(20):
            await queued(world, quick.client_id)
        await other.told(20)
        under_way = len(hanging.tokens)
        released.set()
        await world.database.execute("DELETE FROM logout_notices WHERE client_id = $1", slow.client_id)

    assert under_way == PER_CLIENT


async def test_a_client_that_never_answers_is_left(world: World) -> None:
    """LO9: the call ends by itself, and counts as one that was not taken."""
    async with listener(world) as hanging:
        released = hang(hanging)
        party = await world.client(backchannel_logout_uri=hanging.uri)
        await queued(world, party.client_id, attempts=9)
        await until_none(world, party.client_id)
        released.set()

    (event,) = await world.events("logout_notice_dropped", client_id=party.client_id)
    assert event["detail"]["reason"].startswith("no answer within")


async def test_what_becomes_of_calls_is_counted(world: World) -> None:
    async with listener(world) as client, signed_in(world, backchannel_logout_uri=client.uri) as user:
        before = await counted(world, "told")
        await user.logout(id_token_hint=user.hint)
        await client.told()
        await until_none(world, user.client_id)

        assert await counted(world, "told") > before


def hang(client: Listener) -> asyncio.Event:
    """It takes what is said and answers nothing until the event is set."""
    released = asyncio.Event()

    async def never(_: asyncio.StreamWriter) -> None:
        await released.wait()

    client.place.answer, client.place.stay = b"", never
    return released


async def counted(world: World, result: str) -> float:
    text = (await world.http.get("/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith(f'idp_logout_notices_total{{result="{result}"}}')]
    return float(lines[0].split()[-1]) if lines else 0.0


def sub(user: SignedIn) -> str:
    return str(claims_of(user.hint)["sub"])


def sid(user: SignedIn) -> str:
    return str(claims_of(user.hint)["sid"])
