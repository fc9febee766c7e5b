"""One session for a very long time: its memory does not grow, and Postgres is not written for a rotation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from uuid import UUID

import pytest
from world import Tokens, World

from idp.domain.audit.events import Origin, origin
from idp.domain.clients.clients import REST_CLIENT
from idp.domain.errors import InvalidToken
from idp.repositories.sessions.sessions import PostgresSessions
from idp.services.sessions.checkpoints import GENERATIONS, Checkpoints
from idp.services.sessions.sessions import SessionService

ROTATIONS = 10_000
MOST_BYTES = 300


class CountedSessions(PostgresSessions):
    """Remembers how often floors were written, and for how many families."""

    batches: list[int]

    async def raise_floors(self, floors: Mapping[UUID, int]) -> None:
        self.batches.append(len(floors))
        await super().raise_floors(floors)


@pytest.fixture
def sessions(world: World) -> CountedSessions:
    ours = world.services.sessions
    assert isinstance(ours, PostgresSessions)
    counted = CountedSessions(ours._postgres, ours._trail, ours._mails)
    counted.batches = []
    return counted


@pytest.fixture
def service(world: World, sessions: CountedSessions) -> SessionService:
    """The server's, with checkpoints that are written when the test says so."""
    return dataclasses.replace(world.services.session_service, checkpoints=Checkpoints(sessions), sessions=sessions)


async def rotated(service: SessionService, token: str, times: int = 1) -> str:
    origin.set(Origin(address="2001:db8::7", user_agent="Mozilla/5.0 " + "x" * 200))
    for _ in range(times):
        token = await service.rotate(await service.present(token, REST_CLIENT.client_id))
    return token


async def version(world: World, tokens: Tokens) -> object:
    """Another one after each write of the row."""
    return await world.database.fetchval("SELECT xmin FROM sessions WHERE family_id = $1", world.family(tokens))


async def test_ten_thousand_rotations_take_no_more_room_than_one(world: World, service: SessionService) -> None:
    """RF21."""
    tokens = await world.signed_in()
    await rotated(service, tokens.refresh_token)
    user, before = (await world.session(tokens))["user_id"], await version(world, tokens)
    keys = await world.cache.dbsize()

    last = await rotated(service, tokens.refresh_token, ROTATIONS)

    assert service.tokens.read(last).generation == ROTATIONS + 1  # type: ignore[union-attr]
    assert await world.cache.memory_usage(world.family_key(tokens)) <= MOST_BYTES
    assert await world.cache.dbsize() <= keys
    assert await world.database.fetchval("SELECT count(*) FROM sessions WHERE user_id = $1", user) == 1
    assert await version(world, tokens) == before


async def test_checkpoints_of_many_sessions_are_one_write(
    world: World, service: SessionService, sessions: CountedSessions
) -> None:
    people = [await world.signed_in() for _ in range(5)]
    for tokens in people:
        await rotated(service, tokens.refresh_token, GENERATIONS * 3 + 1)

    await service.checkpoints.write()
    await service.checkpoints.write()

    assert sessions.batches == [5]
    assert [(await world.session(tokens))["gen_floor"] for tokens in people] == [GENERATIONS * 3] * 5


async def test_a_token_below_the_floor_is_reuse_when_valkey_has_forgotten_the_family(
    world: World, service: SessionService
) -> None:
    """RF11."""
    tokens = await world.signed_in()
    used = await rotated(service, tokens.refresh_token, 2)
    live = await rotated(service, used, GENERATIONS)
    await service.checkpoints.write()
    await world.cache.delete(world.family_key(tokens))

    with pytest.raises(InvalidToken, match="reuse"):
        await rotated(service, used)

    with pytest.raises(InvalidToken):
        await rotated(service, live)
    assert (await world.session(tokens))["revoked_reason"] == "reuse"


async def test_a_live_token_at_the_floor_goes_on_when_valkey_has_forgotten_the_family(
    world: World, service: SessionService
) -> None:
    """RF11."""
    tokens = await world.signed_in()
    live = await rotated(service, tokens.refresh_token, GENERATIONS)
    await service.checkpoints.write()
    await world.cache.delete(world.family_key(tokens))

    assert await rotated(service, live, 3)


async def test_a_floor_that_rises_during_a_refresh_counts_when_valkey_forgets_the_family_too(
    world: World, service: SessionService
) -> None:
    """RF11."""
    tokens = await world.signed_in()
    used = await rotated(service, tokens.refresh_token)
    presented = await service.present(used, REST_CLIENT.client_id)
    await rotated(service, used, GENERATIONS)
    await service.checkpoints.write()
    await world.cache.delete(world.family_key(tokens))

    with pytest.raises(InvalidToken, match="reuse"):
        await service.rotate(presented)
