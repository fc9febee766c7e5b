"""The state machine of idp/domain/tokens/refresh_tokens.py, as the real script plays it on a real Valkey."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import redis.asyncio
from family import AFTER_GRACE, GRACE, Family, families_in, nonce

from idp.database.redis import RedisStore
from idp.domain.errors import StoreUnavailable
from idp.domain.tokens.refresh_tokens import Outcome, Rotation
from idp.embedded import StoreUrls

# Rotation.


async def test_each_rotation_names_the_next_generation(family: Family) -> None:
    """RF1."""
    first = await family.started()

    second = await family.rotate(first)
    third = await family.rotate(second.successor or first)

    assert (second.outcome, third.outcome) == (Outcome.OK, Outcome.OK)
    assert [token.generation for token in (first, second.successor, third.successor) if token] == [1, 2, 3]


async def test_a_look_says_what_may_be_exchanged_and_changes_nothing(family: Family) -> None:
    first = await family.started()
    second = (await family.rotate(first)).successor
    assert second is not None
    lost = replace(second, generation=second.generation + 1, nonce=nonce())
    forked = replace(lost, issued_at=0)
    other = replace(second, nonce=nonce())

    looks = [await family.store.look(token, family.user_id) for token in (first, second, lost, forked, other) * 2]

    assert looks == [Outcome.REUSE, Outcome.OK, Outcome.FORWARD, Outcome.FORK, Outcome.FORK] * 2
    assert await family.outcome(second) is Outcome.OK
    await family.store.end(family.id, family.user_id, "logout", family.expires_at)
    assert await family.store.look(second, family.user_id) is Outcome.REVOKED
    assert await family.store.look(second, uuid4()) is Outcome.MISSING


async def test_starting_again_with_the_same_nonce_names_the_same_first_token(family: Family) -> None:
    same = nonce()

    first = await family.store.start(family.id, family.user_id, "app", same, family.expires_at)
    again = await family.store.start(family.id, family.user_id, "app", same, family.expires_at)

    assert again == first


async def test_a_family_is_never_started_over_another(family: Family) -> None:
    first = await family.started()

    with pytest.raises(StoreUnavailable):
        await family.started()

    assert await family.outcome(first) is Outcome.OK


async def test_another_client_is_refused_and_the_family_lives_on(family: Family) -> None:
    """RF8."""
    first = await family.started()

    stranger = await family.rotate(first, client="other")

    assert stranger.outcome is Outcome.CLIENT
    assert await family.outcome(first) is Outcome.OK


async def test_a_call_repeated_with_its_own_proposal_gets_the_same_answer(strict: Family) -> None:
    """A driver repeats what was not answered; even without a grace that is no reuse."""
    first, proposed = await strict.started(), nonce()

    once = await strict.rotate(first, proposed)
    twice = await strict.rotate(first, proposed)

    assert once == twice
    assert once.outcome is Outcome.OK


# Reuse.


async def test_a_token_of_an_older_generation_ends_the_family(family: Family) -> None:
    """RF2."""
    first = await family.started()
    third = await family.next(await family.next(first))

    assert await family.outcome(first) is Outcome.REUSE
    assert await family.rotate(third) == Rotation(Outcome.REVOKED, reason="reuse")


async def test_reuse_is_told_once(family: Family) -> None:
    first = await family.started()
    await family.next(await family.next(first))

    assert [await family.outcome(first) for _ in range(3)] == [Outcome.REUSE, Outcome.REVOKED, Outcome.REVOKED]


async def test_the_grandparent_is_reuse_even_within_the_grace(family: Family) -> None:
    """RF4."""
    first = await family.started()
    second = await family.next(first)
    await family.next(second)

    assert await family.outcome(first) is Outcome.REUSE


# Grace.


async def test_within_the_grace_the_predecessor_gets_the_same_successor(family: Family) -> None:
    """RF3, RF5."""
    first = await family.started()
    second = await family.next(first)

    replays = [await family.rotate(first) for _ in range(5)]

    assert replays == [Rotation(Outcome.REISSUE, second)] * 5
    assert await family.outcome(second) is Outcome.OK


async def test_after_the_grace_the_predecessor_ends_the_family(family: Family) -> None:
    """RF6."""
    first = await family.started()
    second = await family.next(first)
    await family.time_passes(AFTER_GRACE)

    assert await family.outcome(first) is Outcome.REUSE
    assert await family.outcome(second) is Outcome.REVOKED


async def test_without_a_grace_the_predecessor_ends_the_family_at_once(strict: Family) -> None:
    first = await strict.started()
    await strict.next(first)

    assert await strict.outcome(first) is Outcome.REUSE


# Tombstones.


async def test_an_ended_family_is_revoked_for_that_reason(family: Family) -> None:
    """RF13."""
    first = await family.started()

    await family.store.end(family.id, family.user_id, "logout", family.expires_at)

    assert await family.rotate(first) == Rotation(Outcome.REVOKED, reason="logout")


async def test_ending_a_family_that_was_lost_leaves_a_tombstone(family: Family) -> None:
    first = await family.started()
    await family.forgotten()

    await family.store.end(family.id, family.user_id, "logout", family.expires_at)

    assert (await family.rebuilt(first)).outcome is Outcome.REVOKED
    assert await family.cache.pexpiretime(family.key) == int(family.expires_at.timestamp() * 1000)


async def test_a_family_that_ended_before_it_began_does_not_begin(family: Family) -> None:
    """RF13: its session is stored before its first token, and may be ended in between. Also when the call is repeated."""
    proposed = nonce()
    given = (family.id, family.user_id, "app", proposed, family.expires_at)
    assert await family.store.start(*given) is not None

    await family.store.end(family.id, family.user_id, "code_reused", family.expires_at)

    assert [await family.store.start(*given) for _ in range(2)] == [None, None]


async def test_the_first_reason_of_an_end_stays(family: Family) -> None:
    first = await family.started()

    await family.store.end(family.id, family.user_id, "reuse", family.expires_at)
    await family.store.end(family.id, family.user_id, "logout", family.expires_at)

    assert await family.rotate(first) == Rotation(Outcome.REVOKED, reason="reuse")


# Races.


@pytest.fixture
async def crowd(urls: StoreUrls) -> AsyncIterator[list[RedisStore]]:
    """Fifty processes' worth of connections."""
    stores = [RedisStore(urls.redis) for _ in range(50)]
    await asyncio.gather(*(one.ping() for one in stores))
    yield stores
    await asyncio.gather(*(one.close() for one in stores))


@pytest.mark.parametrize("grace", [timedelta(0), GRACE], ids=["strict", "grace"])
async def test_of_500_racers_on_one_token_all_who_win_hold_the_same_successor(
    crowd: list[RedisStore], cache: redis.asyncio.Redis, grace: timedelta
) -> None:
    """RF3."""
    stores = [families_in(one, grace=grace) for one in crowd]
    family = Family(stores[0], cache)
    first = await family.started()

    rotations = await asyncio.gather(
        *(stores[turn % 50].rotate(first, family.user_id, "app", nonce()) for turn in range(500))
    )

    outcomes = Counter(rotation.outcome for rotation in rotations)
    assert len({rotation.successor for rotation in rotations} - {None}) == 1
    assert outcomes == (
        Counter({Outcome.OK: 1, Outcome.REISSUE: 499})
        if grace
        else Counter({Outcome.OK: 1, Outcome.REUSE: 1, Outcome.REVOKED: 498})
    )
