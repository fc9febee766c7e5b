"""Revoked access tokens in Postgres."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from world import World

from idp.domain.audit.events import AccessTokenRevoked
from idp.domain.tokens.revoked_tokens import RevokedTokens

DAY = timedelta(days=1)
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
EVENT = AccessTokenRevoked(client_id="app")


@pytest.fixture
def revoked_tokens(world: World) -> RevokedTokens:
    return world.services.revoked_tokens


async def test_of_many_at_once_one_revokes(revoked_tokens: RevokedTokens) -> None:
    jti, until = secrets.token_urlsafe(16), datetime.now(UTC) + DAY
    assert not await revoked_tokens.holds(jti)

    outcomes = await asyncio.gather(*(revoked_tokens.add(jti, until, EVENT) for _ in range(20)))

    assert sorted(outcomes) == [False] * 19 + [True]
    assert await revoked_tokens.holds(jti)


async def test_only_those_that_have_expired_are_forgotten_and_no_more_than_asked(revoked_tokens: RevokedTokens) -> None:
    old = {secrets.token_urlsafe(16): LONG_AGO + at * DAY for at in range(5)}
    for jti, until in old.items():
        await revoked_tokens.add(jti, until, EVENT)

    assert await revoked_tokens.purge(LONG_AGO + 3 * DAY, most=2) == 2
    assert await revoked_tokens.purge(LONG_AGO + 3 * DAY, most=2) == 1

    assert [await revoked_tokens.holds(jti) for jti in old] == [False] * 3 + [True] * 2
