"""What one process changes holds in every other: at once for users and sessions, within a second for clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import jwt
import pytest
from hosted import Browser, Party
from world import PASSWORD, Registered, Tokens, World

from idp.domain.accounts.users import Role
from idp.repositories.clients.clients import MEMORY_SECONDS
from idp.repositories.sessions.sessions import PostgresSessions
from idp.repositories.tokens.families import RedisFamilies


async def user_id(world: World, tokens: Tokens) -> object:
    return (await world.session(tokens))["user_id"]


async def refused_at(node: World, client: Registered) -> float:
    """When *client* got its first 401 there. The limit is a guard against hanging."""
    async with asyncio.timeout(60):
        while (await node.token(client.auth, grant_type="client_credentials")).status_code != 401:
            await asyncio.sleep(0.02)
    return time.monotonic()


async def test_a_user_disabled_here_is_refused_there_at_once(world: World, strict: World) -> None:
    """PW22."""
    client = await world.client()
    tokens = await world.signed_in(client)
    assert (await strict.profile((await world.signed_in(email=tokens.email)).access_token)).status_code == 200

    await world.services.user_administration.disable(str(await user_id(world, tokens)))

    assert (await strict.refresh(tokens)).json()["error"] == "invalid_grant"
    assert (await strict.post("/auth/login", email=tokens.email, password=PASSWORD)).status_code == 401


async def test_a_session_ended_here_has_ended_there_at_once(world: World, strict: World) -> None:
    """SE15, IR9."""
    tokens = await world.signed_in()
    assert (await strict.profile(tokens.access_token)).status_code == 200

    assert (await world.post("/auth/logout", refreshToken=tokens.refresh_token)).status_code == 204

    assert (await strict.profile(tokens.access_token)).status_code == 401
    assert (await strict.refresh(tokens)).json()["error"] == "invalid_grant"


async def test_roles_given_here_are_in_the_next_token_there(world: World, strict: World) -> None:
    tokens = await world.signed_in()
    assert (await strict.http.get("/admin/users", headers=bearer(tokens))).status_code == 403

    await world.services.user_administration.set_roles(str(await user_id(world, tokens)), [Role.USER, Role.ADMIN])

    assert (await strict.http.get("/admin/users", headers=bearer(tokens))).status_code == 200
    refreshed = await strict.refreshed(tokens)
    assert jwt.decode(refreshed.access_token, options={"verify_signature": False})["roles"] == ["USER", "ADMIN"]


async def test_roles_taken_here_are_gone_there_at_once(world: World, strict: World) -> None:
    """AD5: whatever the token says."""
    tokens = await world.signed_in()
    await world.services.user_administration.set_roles(str(await user_id(world, tokens)), [Role.USER, Role.ADMIN])
    assert (await strict.http.get("/admin/users", headers=bearer(tokens))).status_code == 200

    await world.services.user_administration.set_roles(str(await user_id(world, tokens)), [Role.USER])

    assert (await strict.http.get("/admin/users", headers=bearer(tokens))).status_code == 403


async def test_a_client_disabled_here_is_refused_there_when_its_memory_has_passed(world: World, strict: World) -> None:
    """CA10: the other node may remember a client for `MEMORY_SECONDS`, never longer."""
    client = await world.client()
    assert (await strict.token(client.auth, grant_type="client_credentials")).status_code == 200
    remembered_until = time.monotonic() + MEMORY_SECONDS

    await world.changed_client(client, enabled=False)
    here = await world.token(client.auth, grant_type="client_credentials")
    there = await refused_at(strict, client)

    assert here.status_code == 401
    assert MEMORY_SECONDS <= 1
    # Asked every 20 ms; one more second is left for a machine that is busy with something else.
    assert there <= remembered_until + 1


Between = Callable[[type, str, Callable[[], Awaitable[object]]], None]


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Between:
    """Lets something happen right before the next call of a method of a store, in the first node."""

    def happens(store: type, method: str, then: Callable[[], Awaitable[object]]) -> None:
        original = getattr(store, method)

        async def first(*args: Any, **kwargs: Any) -> Any:
            monkeypatch.setattr(store, method, original)
            await then()
            return await original(*args, **kwargs)

        monkeypatch.setattr(store, method, first)

    return happens


async def code_of(world: World, party: Party) -> str:
    async with Browser(world) as browser:
        return (await browser.authorized(party, await world.registered()))["code"]


def is_spent(answer: httpx.Response) -> bool:
    return answer.status_code == 400 and answer.json()["error"] == "invalid_grant"


async def test_a_code_used_there_before_the_first_token_is_stored_here_is_spent(
    world: World, strict: World, before: Between
) -> None:
    """TE8, TE9: the session is stored already and ends; the winner is told so, not that it may try again."""
    party = await Party.registered(world)
    code, second = await code_of(world, party), []

    async def redeemed_there() -> None:
        second.append(await replace(party, world=strict).redeem(code))

    before(RedisFamilies, "start", redeemed_there)
    first = await party.redeem(code)

    assert is_spent(second[0])
    assert is_spent(first)
    assert len(await world.events("code_reused", client_id=party.client.client_id)) == 1
    assert is_spent(await party.redeem(code))


async def test_a_code_used_there_before_the_session_is_stored_here_gives_nothing_that_works(
    world: World, strict: World, before: Between
) -> None:
    """TE9: and the third use, after it, is a second use as any other."""
    party = await Party.registered(world)
    code, others = await code_of(world, party), []

    async def redeemed_there() -> None:
        others.append(await replace(party, world=strict).redeem(code))

    before(PostgresSessions, "add", redeemed_there)
    before(RedisFamilies, "start", redeemed_there)
    first = await party.redeem(code)

    assert [is_spent(answer) for answer in (*others, first)] == [True, True, True]


async def test_of_three_uses_of_a_code_at_two_nodes_none_is_told_to_try_again(world: World, strict: World) -> None:
    """TE8."""
    party = await Party.registered(world)
    there = replace(party, world=strict)
    for _ in range(12):
        code = await code_of(world, party)

        answers = await asyncio.gather(there.redeem(code), party.redeem(code), there.redeem(code))

        refused = [answer for answer in answers if answer.status_code != 200]
        assert all(map(is_spent, refused)), [answer.text for answer in refused]
        assert len(refused) >= 2


async def test_who_signs_out_everywhere_there_while_signing_in_here_is_not_signed_in(
    world: World, strict: World, before: Between
) -> None:
    """SE15: at both doors; the new session is stored already, its first token is not."""
    client, tokens = await world.client(), await world.signed_in()

    async def signed_out_there() -> None:
        other = await strict.signed_in(email=tokens.email)
        answer = await strict.http.post("/auth/logout-all", headers=bearer(other))
        assert answer.status_code == 204

    before(RedisFamilies, "start", signed_out_there)
    rest = await world.post("/auth/login", email=tokens.email, password=PASSWORD)
    before(RedisFamilies, "start", signed_out_there)
    grant = {"grant_type": "password", "username": tokens.email, "password": PASSWORD}
    form = await world.token(client.auth, **grant)

    assert (rest.status_code, rest.json()["error"]) == (401, "invalid_credentials")
    assert (form.status_code, form.json()["error"]) == (400, "invalid_grant")


def bearer(tokens: Tokens) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.access_token}"}
