"""Families in a Valkey that lost its last writes, or everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from family import MOMENT, Family, earlier

from idp.domain.tokens.refresh_tokens import Outcome, Rotation
from idp.repositories.tokens.families import CLOCK_SKEW

# A store that lost its last writes.


async def test_a_token_newer_than_what_is_remembered_rolls_the_family_forward(family: Family) -> None:
    """RF11."""
    second = await family.next(await family.started())
    snapshot = await family.remembered()
    third = await family.next(second)
    fourth = await family.next(third)
    await family.set_back(snapshot)

    forward = await family.rotate(fourth)

    assert forward.outcome is Outcome.FORWARD
    assert forward.successor is not None
    assert forward.successor.generation == 5
    assert await family.outcome(third) is Outcome.REUSE


async def test_two_tokens_of_one_generation_are_a_fork(family: Family) -> None:
    second = await family.next(await family.started())
    snapshot = await family.remembered()
    third = await family.next(second)
    await family.set_back(snapshot)

    assert await family.outcome(second) is Outcome.OK
    assert await family.outcome(third) is Outcome.FORK
    assert await family.rotate(third) == Rotation(Outcome.REVOKED, reason="fork")


async def test_a_newer_token_issued_before_the_watermark_last_moved_is_a_fork(family: Family) -> None:
    """Somebody moved the family with an older token after the store had lost writes."""
    second = await family.next(await family.started())
    snapshot = await family.remembered()
    fourth = await family.next(await family.next(second))
    await family.set_back(snapshot)
    await family.next(second)

    assert await family.outcome(earlier(fourth, CLOCK_SKEW + MOMENT)) is Outcome.FORK


async def test_within_the_skew_of_clocks_a_fork_is_seen_one_use_later(family: Family) -> None:
    second = await family.next(await family.started())
    snapshot = await family.remembered()
    fourth = await family.next(await family.next(second))
    await family.set_back(snapshot)
    stolen = await family.next(second)

    assert await family.outcome(fourth) is Outcome.FORWARD
    assert await family.outcome(stolen) is Outcome.REUSE


# A store that lost everything.


async def test_an_unknown_family_is_missing_and_stays_so(family: Family) -> None:
    first = await family.started()
    await family.forgotten()

    assert await family.outcome(first) is Outcome.MISSING
    assert not await family.cache.exists(family.key)


async def test_with_the_record_an_unknown_family_is_remembered_from_its_token(family: Family) -> None:
    """RF11."""
    second = await family.next(await family.started())
    third = await family.next(second)
    await family.forgotten()

    rebuilt = await family.rebuilt(third)

    assert rebuilt.outcome is Outcome.REBUILT
    assert rebuilt.successor is not None
    assert rebuilt.successor.generation == 4
    assert await family.outcome(second) is Outcome.REUSE
    assert 0 < await family.cache.pttl(family.key) <= timedelta(days=7).total_seconds() * 1000


async def test_a_thief_who_comes_first_after_a_loss_is_caught_when_the_owner_comes(family: Family) -> None:
    first = await family.started()
    third = await family.next(await family.next(first))
    await family.forgotten()

    stolen = await family.rebuilt(first)

    assert stolen.outcome is Outcome.REBUILT
    assert (await family.rebuilt(earlier(third, CLOCK_SKEW + MOMENT))).outcome is Outcome.FORK
    assert await family.outcome(stolen.successor or first) is Outcome.REVOKED


async def test_a_family_is_not_remembered_beyond_its_end(family: Family) -> None:
    """RF9."""
    family.expires_at = datetime.now(UTC) + timedelta(days=7)
    first = await family.started()
    await family.forgotten()
    family.expires_at = datetime.now(UTC) - MOMENT

    assert (await family.rebuilt(first)).outcome is Outcome.EXPIRED
    assert not await family.cache.exists(family.key)


async def test_a_family_at_its_end_is_expired_even_while_it_is_remembered(family: Family) -> None:
    """RF9."""
    first = await family.started()
    await family.cache.hset(family.key, "x", int((datetime.now(UTC) - MOMENT).timestamp() * 1000))

    assert await family.outcome(first) is Outcome.EXPIRED


async def test_the_store_forgets_a_family_by_itself_at_its_end(family: Family) -> None:
    await family.started()

    assert await family.cache.pexpiretime(family.key) == int(family.expires_at.timestamp() * 1000)
