"""Many clients with one refresh token at the same moment (RF3)."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from urllib.parse import urlencode

from raw_http import RawAnswer, connection
from world import Tokens, World

MANY = 500


async def all_at_once(world: World, tokens: Tokens, times: int = MANY) -> list[RawAnswer]:
    """Each on a connection that is open already: a client library would spread them over seconds."""
    fields = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token, "client_id": tokens.client_id}
    if tokens.client_secret:
        fields["client_secret"] = tokens.client_secret
    body = urlencode(fields).encode()
    head = "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(connection(str(world.http.base_url))) for _ in range(times)]
        await asyncio.gather(*(one.send(request) for one in opened))
        return [answer for answer in await asyncio.gather(*(one.answer() for one in opened)) if answer is not None]


async def test_within_the_grace_all_get_one_and_the_same_successor(world: World) -> None:
    """RF3; Keycloak CVE-2026-1035, IdentityServer4 #3015. Trap 1: with stock Authlib each of 20 gets another one."""
    tokens = await world.signed_in(await world.client())

    answers = await all_at_once(world, tokens)

    assert Counter(answer.status for answer in answers) == {200: MANY}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    tokens.refresh_token = answers[0].json()["refresh_token"]
    assert (await world.refresh(tokens)).status_code == 200
    assert (await world.session(tokens))["revoked_at"] is None


async def test_without_grace_one_wins_and_the_family_ends(world: World, strict: World) -> None:
    """RF3; NocoDB CVE-2026-126280. Strict: a second use is a second holder."""
    tokens = await world.signed_in(await world.client())

    answers = await all_at_once(strict, tokens)

    assert Counter(answer.status for answer in answers) == {200: 1, 400: MANY - 1}
    assert {answer.json().get("error") for answer in answers} == {None, "invalid_grant"}
    winner = next(answer for answer in answers if answer.status == 200)
    session = await world.session(tokens)
    assert session["revoked_reason"] == "reuse"
    assert len(await world.events("refresh_token_reused", session_id=session["id"])) == 1
    tokens.refresh_token = winner.json()["refresh_token"]
    assert (await strict.refresh(tokens)).status_code == 400


async def test_without_grace_a_family_used_in_order_lives(world: World, strict: World) -> None:
    tokens = await world.signed_in(await world.client())

    for _ in range(5):
        tokens = await strict.refreshed(tokens)


async def test_many_families_at_once_do_not_mix(world: World) -> None:
    client = await world.client()
    families = [await world.signed_in(client) for _ in range(20)]

    async def refreshed_often(tokens: Tokens) -> Tokens:
        for _ in range(5):
            tokens = await world.refreshed(tokens)
        return tokens

    last = await asyncio.gather(*map(refreshed_often, families))

    assert [world.family(tokens) for tokens in last] == [world.family(tokens) for tokens in families]
    people = [(await world.userinfo(tokens.access_token)).json()["email"] for tokens in last]
    assert people == [tokens.email for tokens in families]


async def test_a_logout_among_many_refreshes_leaves_nothing_alive(world: World) -> None:
    """RF17: whatever the order, once the logout has been answered no token of the family works."""
    tokens = await world.signed_in()

    answers, logout = await asyncio.gather(
        all_at_once(world, tokens, 50), world.post("/auth/logout", refreshToken=tokens.refresh_token)
    )

    assert logout.status_code == 204
    assert Counter(answer.status for answer in answers).keys() <= {200, 400}
    handed_out = {answer.json()["refresh_token"] for answer in answers if answer.status == 200}
    for refresh_token in {tokens.refresh_token} | handed_out:
        tokens.refresh_token = refresh_token
        assert (await world.refresh(tokens)).json()["error"] == "invalid_grant"
