"""Sessions in Postgres: what each statement decides, also when two of them race."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from world import World

from idp.domain.accounts.users import User
from idp.domain.clients.clients import REST_CLIENT
from idp.domain.sessions.sessions import RevokedReason, Session, Sessions

DAY = timedelta(days=1)


@pytest.fixture
def sessions(world: World) -> Sessions:
    return world.services.sessions


@pytest.fixture
async def user(world: World) -> User:
    found = await world.services.users.find_by_email(await world.registered())
    assert found is not None
    return found


Made = Callable[..., Session]


@pytest.fixture
def made(world: World, user: User) -> Made:
    """Sessions of *user*, not stored."""
    return lambda: world.services.session_service.new(user, REST_CLIENT, scope="openid", audience=None)


async def live(sessions: Sessions, session: Session) -> bool:
    state = await sessions.find(session.id)
    return state is not None and state.over(datetime.now(UTC)) is None


# Sign-in.


async def test_a_stored_session_is_found_by_id_and_by_family_with_its_user(
    sessions: Sessions, made: Made, user: User
) -> None:
    session = made()
    assert await sessions.add(session)

    by_id, by_family = await sessions.find(session.id), await sessions.find_family(session.family_id)

    assert by_id is not None
    assert by_family is not None
    assert replace(by_id, user_updated_at=None) == by_family
    assert (by_id.session, by_id.email, by_id.roles) == (session, user.email, user.roles)


async def test_what_is_not_there_is_not_found(sessions: Sessions) -> None:
    assert await sessions.find(uuid4()) is None
    assert await sessions.find_family(uuid4()) is None


async def test_each_of_many_who_ask_at_once_gets_its_own_session(sessions: Sessions, made: Made) -> None:
    stored = [made() for _ in range(150)]
    await asyncio.gather(*map(sessions.add, stored))

    found = await asyncio.gather(*(sessions.find_family(session.family_id) for session in stored))
    unknown = await asyncio.gather(*(sessions.find_family(uuid4()) for _ in stored))

    assert [state.session if state else None for state in found] == stored
    assert unknown == [None] * 150


async def test_nobody_signs_in_to_an_account_that_was_disabled_meanwhile(
    world: World, sessions: Sessions, made: Made, user: User
) -> None:
    session = made()
    await world.services.user_administration.disable(str(user.id))

    assert not await sessions.add(session)
    assert await sessions.find(session.id) is None


async def test_nobody_signs_in_with_a_password_checked_before_signing_out_everywhere(
    sessions: Sessions, made: Made, user: User
) -> None:
    session = made()
    await sessions.revoke_all(user.id, RevokedReason.LOGOUT_ALL)

    assert not await sessions.add(session)


async def waits_for_a_lock(world: World, task: asyncio.Task[bool]) -> bool:
    """False when it is done instead."""
    while not task.done():
        if await world.database.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            return True
        await asyncio.sleep(0.01)
    return False


async def test_a_sign_in_waits_for_a_sign_out_everywhere_that_is_not_committed_yet(
    world: World, sessions: Sessions, made: Made, user: User
) -> None:
    """RF17."""
    async with world.database.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE users SET auth_epoch = auth_epoch + 1 WHERE id = $1", user.id)
        signing_in = asyncio.create_task(sessions.add(made()))
        assert await waits_for_a_lock(world, signing_in)

    assert not await signing_in


Ending = Callable[[World, User], Awaitable[object]]


@pytest.mark.parametrize(
    "ending",
    [
        lambda world, user: world.services.sessions.revoke_all(user.id, RevokedReason.LOGOUT_ALL),
        lambda world, user: world.services.user_administration.disable(str(user.id)),
    ],
    ids=["signing out everywhere", "disabling"],
)
async def test_no_sign_in_survives_a_race_with(world: World, sessions: Sessions, made: Made, ending: Ending) -> None:
    """RF13, RF17."""
    for _ in range(10):
        user = await world.services.users.find_by_email(await world.registered())
        assert user is not None
        racers = [replace(made(), user_id=user.id) for _ in range(6)]

        await asyncio.gather(*map(sessions.add, racers[:3]), ending(world, user), *map(sessions.add, racers[3:]))

        assert not [session for session in racers if await live(sessions, session)]


# Revocation.


async def test_of_many_who_revoke_one_session_one_does_and_tells(world: World, sessions: Sessions, made: Made) -> None:
    session = made()
    await sessions.add(session)

    revoked = await asyncio.gather(*(sessions.revoke(session.id, RevokedReason.REUSE) for _ in range(20)))

    assert revoked.count(True) == 1
    assert len(await world.events("refresh_token_reused", session_id=session.id)) == 1


async def test_the_first_reason_of_a_revocation_stays(sessions: Sessions, made: Made) -> None:
    session = made()
    await sessions.add(session)
    await sessions.revoke(session.id, RevokedReason.REUSE)
    await sessions.revoke(session.id, RevokedReason.LOGOUT)

    state = await sessions.find(session.id)

    assert state is not None
    assert state.session.revoked_reason == "reuse"


async def test_signing_out_everywhere_ends_live_sessions_of_that_user_only(
    world: World, sessions: Sessions, made: Made, user: User
) -> None:
    ended, others = [made(), made()], await world.signed_in()
    revoked_before, expired = made(), replace(made(), created_at=datetime.now(UTC) - 2 * DAY)
    expired = replace(expired, expires_at=expired.created_at + DAY)
    await asyncio.gather(*map(sessions.add, [*ended, revoked_before, expired]))
    await sessions.revoke(revoked_before.id, RevokedReason.REUSE)

    told = await sessions.revoke_all(user.id, RevokedReason.LOGOUT_ALL)

    assert {session.id for session in told} == {session.id for session in ended}
    assert (await world.session(others))["revoked_at"] is None
    states = [await sessions.find(session.id) for session in (*ended, revoked_before, expired)]
    assert [state.session.revoked_reason for state in states if state] == ["logout_all", "logout_all", "reuse", None]


async def test_live_sessions_are_listed_newest_first(sessions: Sessions, made: Made, user: User) -> None:
    listed = [made() for _ in range(3)]
    listed = [replace(session, created_at=session.created_at + at * DAY / 24) for at, session in enumerate(listed)]
    ended = made()
    await asyncio.gather(*map(sessions.add, [*listed, ended]))
    await sessions.revoke(ended.id, RevokedReason.LOGOUT)

    assert [session.id for session in await sessions.list_of(user.id)] == [session.id for session in reversed(listed)]


# Checkpoints and the end.


async def floors(sessions: Sessions, *of: Session) -> list[int]:
    return [state.session.gen_floor for session in of if (state := await sessions.find(session.id))]


async def test_floors_of_many_families_rise_together_and_never_fall(sessions: Sessions, made: Made) -> None:
    first, second, other = made(), made(), made()
    await asyncio.gather(*map(sessions.add, (first, second, other)))

    await sessions.raise_floors({first.family_id: 8, second.family_id: 24, uuid4(): 8})
    await sessions.raise_floors({first.family_id: 16, second.family_id: 16})

    assert await floors(sessions, first, second, other) == [16, 24, 0]


async def test_only_sessions_past_their_end_are_purged_and_no_more_than_asked(
    world: World, sessions: Sessions, made: Made
) -> None:
    long_ago = datetime(2001, 1, 1, tzinfo=UTC)
    old = [replace(made(), created_at=long_ago, expires_at=long_ago + at * DAY) for at in range(1, 6)]
    await asyncio.gather(*map(sessions.add, [*old, kept := made()]))

    assert await sessions.purge(long_ago + 4 * DAY, most=2) == 2
    assert await sessions.purge(long_ago + 4 * DAY, most=2) == 1

    assert [await sessions.find(session.id) is None for session in (*old, kept)] == [True] * 3 + [False] * 3
