"""Where a retired refresh token is repeated from: two tabs of one browser, or a thief in step with the owner."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
import redis.asyncio
from family import ELSEWHERE, HOME, Family, families_in, nonce

from idp.database.redis import RedisStore
from idp.database.scripts import Script
from idp.domain.tokens.refresh_tokens import UNKNOWN, Outcome, Place, RefreshToken


async def repetitions(family: Family, first: Place, then: Place, generations: int = 4) -> list[Outcome]:
    """Of every generation, presented from *first* and again from *then*."""
    token, outcomes = await family.started(), []
    for _ in range(generations):
        successor = await family.next(token, first)
        outcomes.append(await family.outcome(token, then))
        token = successor
    return outcomes


CAUGHT = [Outcome.REISSUE, Outcome.REISSUE, Outcome.REISSUE, Outcome.REUSE]


@pytest.mark.parametrize(
    ("owner", "thief"),
    [
        (HOME, ELSEWHERE),
        (HOME, replace(HOME, user_agent="Chrome")),
        (HOME, replace(HOME, user_agent=None)),
        (HOME, UNKNOWN),
        (UNKNOWN, UNKNOWN),
    ],
    ids=["address", "user agent", "no user agent", "unknown", "both unknown"],
)
async def test_a_thief_in_step_with_the_owner_is_caught_at_the_fourth_generation(
    family: Family, owner: Place, thief: Place
) -> None:
    """RF6: whoever of the two comes first."""
    assert await repetitions(family, owner, thief) == CAUGHT
    family.id = uuid4()
    assert await repetitions(family, thief, owner) == CAUGHT


async def test_a_thief_who_is_first_at_some_generations_and_second_at_others_is_caught_too(family: Family) -> None:
    """RF6."""
    token, outcomes = await family.started(), []
    for first, then in [(HOME, ELSEWHERE), (ELSEWHERE, HOME)] * 2:
        successor = await family.next(token, first)
        outcomes.append(await family.outcome(token, then))
        token = successor

    assert outcomes == CAUGHT


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (HOME, HOME),
        (Place("203.0.113.7"), Place("203.0.113.7")),
        (HOME, replace(HOME, address="::ffff:203.0.113.7")),
        (Place("2001:db8::1", "Firefox"), Place("2001:db8::ffff:2", "Firefox")),
    ],
    ids=["same", "no user agent", "IPv4 written as IPv6", "same /64"],
)
async def test_two_tabs_repeat_each_other_at_every_generation_for_ever(
    family: Family, one: Place, other: Place
) -> None:
    """RF23: a place is an address as the limits count it, and a user agent."""
    assert await repetitions(family, one, other, 20) == [Outcome.REISSUE] * 20


async def test_repetitions_from_the_place_of_the_rotation_hide_none_from_elsewhere(family: Family) -> None:
    """RF6: a thief in step with two tabs."""
    token, outcomes = await family.started(), []
    for _ in range(4):
        successor = await family.next(token, HOME)
        again = [await family.outcome(token, place) for place in (HOME, ELSEWHERE, HOME)]
        outcomes.append(again[1])
        token = successor

    assert outcomes == CAUGHT
    assert again == [Outcome.REISSUE, Outcome.REUSE, Outcome.REVOKED]


@pytest.mark.parametrize("repeats", [0, 1, 5])
async def test_generations_with_a_repetition_from_elsewhere_are_as_many_as_configured(
    store: RedisStore, cache: redis.asyncio.Redis, repeats: int
) -> None:
    """RF6."""
    family = Family(families_in(store, repeats=repeats), cache)

    outcomes = await repetitions(family, HOME, ELSEWHERE, repeats + 1)

    assert outcomes == [Outcome.REISSUE] * repeats + [Outcome.REUSE]
    family.id = uuid4()
    assert await repetitions(family, HOME, HOME, 10) == [Outcome.REISSUE] * 10


async def test_a_generation_without_a_repetition_starts_the_count_again(family: Family) -> None:
    """Now and then a lost answer, for ever, is not a thief."""
    token = await family.started()
    for step in range(20):
        successor = await family.next(token)
        if step % 3:
            assert await family.outcome(token) is Outcome.REISSUE
        token = successor

    assert await family.outcome(token) is Outcome.OK


async def test_the_place_of_a_rotation_is_known_also_after_the_store_lost_the_family(family: Family) -> None:
    """RF23: whether it is rebuilt, or rolled forward from an older state."""
    first = await family.started()
    old = await family.remembered()
    second = await family.next(await family.next(first))
    await family.set_back(old)

    forward = await family.rotate(second, place=HOME)
    again = [await family.outcome(second, HOME) for _ in range(2)]
    assert [forward.outcome, *again] == [Outcome.FORWARD, Outcome.REISSUE, Outcome.REISSUE]
    assert await family.cache.hget(family.key, "r") == b"0"

    assert forward.successor is not None
    await family.forgotten()
    rebuilt = await family.rebuilt(forward.successor, HOME)
    again = [await family.outcome(forward.successor, HOME) for _ in range(2)]
    assert [rebuilt.outcome, *again] == [Outcome.REBUILT, Outcome.REISSUE, Outcome.REISSUE]
    assert await family.cache.hget(family.key, "r") == b"0"


async def test_nobody_reads_from_the_store_who_refreshes_from_one_place(
    store: RedisStore, cache: redis.asyncio.Redis
) -> None:
    """Of two families, or of two generations of one, the values differ; they say nothing without the key."""
    values = set()
    for _ in range(3):
        family = Family(families_in(store), cache)
        token = await family.started()
        for _ in range(3):
            token = await family.next(token, HOME)
            values.add(await cache.hget(family.key, "p"))

    assert len(values) == 9
    assert {len(value) for value in values} == {12}


async def test_a_place_takes_little_room(family: Family) -> None:
    """RF21: no field is longer than 64 bytes, with which a hash would double."""
    far = Place("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "Mozilla/5.0 " * 20)
    token = await family.started()
    for _ in range(2):
        successor = await family.next(token, far)
        assert [await family.outcome(token, place) for place in (far, HOME)] == [Outcome.REISSUE] * 2
        token = successor

    assert max(map(len, (await family.cache.hgetall(family.key)).values())) <= 64
    assert await family.cache.object("ENCODING", family.key) == b"listpack"
    assert await family.cache.memory_usage(family.key) <= 300


@pytest.mark.parametrize("length", [64, 65, 255])
async def test_a_client_with_a_long_id_takes_little_room_and_is_told_from_others(family: Family, length: int) -> None:
    """RF21, RF8."""
    client, other = "c" * length, "c" * (length - 1) + "d"
    first = await family.store.start(family.id, family.user_id, client, nonce(), family.expires_at)
    assert first is not None

    outcomes = [(await family.rotate(first, client=name, place=HOME)).outcome for name in (other, client)]

    assert outcomes == [Outcome.CLIENT, Outcome.OK]
    assert max(map(len, (await family.cache.hgetall(family.key)).values())) <= 64
    assert await family.cache.object("ENCODING", family.key) == b"listpack"


# With nodes of the previous release.


Previous = Callable[[RefreshToken, bytes], Awaitable[Outcome]]


@pytest.fixture
def previous(store: RedisStore, family: Family) -> Previous:
    """Rotates as the last script that knew no places: *token*, proposing a nonce."""
    source = (Path(__file__).with_name("rotate_without_places.lua")).read_text("utf-8")
    script = Script(source, hashlib.sha1(source.encode()).hexdigest())

    async def rotate(token: RefreshToken, proposed: bytes) -> Outcome:
        given = (token.generation, token.nonce, token.issued_at, proposed, "app", 10_000, 3, 5_000, "")
        answer = await store.run(script, (family.key,), *given)
        return Outcome(answer[0].decode())

    return rotate


async def test_a_family_of_the_previous_release_goes_on(family: Family, previous: Previous) -> None:
    """It has no place: the first generation counts its repetitions as before, the next knows where it came from."""
    first, proposed = await family.started(), nonce()
    assert await previous(first, proposed) is Outcome.OK

    again = await family.rotate(first, place=HOME)

    assert again.outcome is Outcome.REISSUE
    assert again.successor is not None
    assert again.successor.nonce == proposed
    token = again.successor
    for _ in range(6):
        successor = await family.next(token, HOME)
        assert await family.outcome(token, HOME) is Outcome.REISSUE
        token = successor


async def test_a_place_that_the_previous_release_left_behind_matches_no_later_generation(
    family: Family, previous: Previous
) -> None:
    """RF6: who rotated last at a node of that release is unknown, so nobody repeats for nothing."""
    first = await family.started()
    second = await family.next(first, HOME)
    assert await previous(second, nonce()) is Outcome.OK

    assert await family.outcome(second, HOME) is Outcome.REISSUE

    assert await family.cache.hget(family.key, "r") == b"1"


async def test_the_previous_release_counts_no_repetition_that_was_free(family: Family, previous: Previous) -> None:
    """RF23: during a rolling upgrade."""
    token = await family.started()
    for _ in range(6):
        successor = await family.next(token, HOME)
        assert await family.outcome(token, HOME) is Outcome.REISSUE
        token, used = successor, token
    assert await previous(token, proposed := nonce()) is Outcome.OK

    assert await previous(token, nonce()) is Outcome.REISSUE
    assert proposed != used.nonce
    assert await family.cache.hget(family.key, "k") == b"0"
