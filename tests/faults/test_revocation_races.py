"""A revocation that races refreshes: once it has been acknowledged, nothing of the session works."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable

import httpx
import pytest
from world import Tokens, World

from idp.domain.clients.clients import REST_CLIENT
from idp.domain.errors import InvalidToken
from idp.domain.sessions.sessions import RevokedReason

CROWD = 200

Revocation = Callable[[World, Tokens], Awaitable[None]]


async def logout(world: World, tokens: Tokens) -> None:
    assert (await world.post("/auth/logout", refreshToken=tokens.refresh_token)).status_code == 204


async def logout_everywhere(world: World, tokens: Tokens) -> None:
    bearer = {"Authorization": f"Bearer {tokens.access_token}"}
    assert (await world.http.post("/auth/logout-all", headers=bearer)).status_code == 204


async def disabling(world: World, tokens: Tokens) -> None:
    await world.services.user_administration.disable(str((await world.session(tokens))["user_id"]))


async def refresh(world: World, token: str) -> httpx.Response:
    return await world.post("/auth/refresh", refreshToken=token)


@pytest.mark.parametrize("revocation", [logout, logout_everywhere, disabling])
async def test_after_a_revocation_has_returned_no_refresh_succeeds(world: World, revocation: Revocation) -> None:
    """RF13, RF17."""
    tokens = await world.signed_in()
    racers = [asyncio.create_task(refresh(world, tokens.refresh_token)) for _ in range(CROWD)]
    await asyncio.wait(racers, return_when=asyncio.FIRST_COMPLETED)

    await revocation(world, tokens)
    afterwards = await asyncio.gather(*(refresh(world, tokens.refresh_token) for _ in range(20)))
    answers = await asyncio.gather(*racers)

    won = {answer.json()["refreshToken"] for answer in answers if answer.status_code == 200}
    profiles = [answer.json()["accessToken"] for answer in answers if answer.status_code == 200]
    assert won
    assert {answer.status_code for answer in answers} <= {200, 401}
    assert {answer.status_code for answer in afterwards} == {401}
    assert {(await refresh(world, token)).status_code for token in won} == {401}
    assert (await world.profile(profiles[0])).status_code == 401


LOSSES = {
    "the tombstone stands": lambda world, tokens: asyncio.sleep(0),
    "and valkey forgets the family": lambda world, tokens: world.cache.delete(world.family_key(tokens)),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
async def test_a_refresh_that_read_the_record_before_the_revocation_gets_nothing_after_it(
    world: World, loss: Revocation
) -> None:
    """RF17."""
    tokens = await world.signed_in()
    service = world.services.session_service
    presented = await service.present(tokens.refresh_token, REST_CLIENT.client_id)
    await service.revoke(presented.state.session, RevokedReason.LOGOUT)
    await loss(world, tokens)

    with pytest.raises(InvalidToken):
        await service.rotate(presented)


async def test_a_reuse_that_only_valkey_remembers_is_written_down_at_the_next_refresh(world: World) -> None:
    """A crash between the two stores."""
    tokens = await world.signed_in()
    service = world.services.session_service
    presented = await service.present(tokens.refresh_token, REST_CLIENT.client_id)
    user_id = presented.state.session.user_id
    for _ in range(2):
        token = (await service.present(tokens.refresh_token, REST_CLIENT.client_id)).token
        rotation = await service.families.rotate(token, user_id, REST_CLIENT.client_id, secrets.token_bytes(16))
        assert rotation.successor is not None
        tokens.refresh_token = service.tokens.write(rotation.successor)
    await service.families.rotate(presented.token, user_id, REST_CLIENT.client_id, secrets.token_bytes(16))
    assert (await world.session(tokens))["revoked_at"] is None

    assert (await refresh(world, tokens.refresh_token)).status_code == 401
    assert (await world.session(tokens))["revoked_reason"] == "reuse"
