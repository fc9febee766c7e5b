"""What clients are told of the end of a session, and how (OpenID Connect Back-Channel Logout 1.0), by calls to a real server."""

from __future__ import annotations

import asyncio
import time

import jwt
import pytest
from hosted import claims_of
from leaving import sid, signed_in
from told import is_due, listener, queued, until, until_none
from world import World

EVENT = "http://schemas.openid.net/event/backchannel-logout"


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

        assert world.services.hosted.id_tokens.hint(user.hint) is not None
        assert world.services.hosted.id_tokens.hint(token) is None
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


async def test_what_becomes_of_calls_is_counted(world: World) -> None:
    async with listener(world) as client, signed_in(world, backchannel_logout_uri=client.uri) as user:
        before = await counted(world, "told")
        await user.logout(id_token_hint=user.hint)
        await client.told()
        await until_none(world, user.client_id)

        assert await counted(world, "told") > before


async def counted(world: World, result: str) -> float:
    text = (await world.http.get("/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith(f'idp_logout_notices_total{{result="{result}"}}')]
    return float(lines[0].split()[-1]) if lines else 0.0
