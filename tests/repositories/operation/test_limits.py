"""Counting calls: in Redis, in one process, and together with a rotation."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from uuid import uuid4

import pytest
import redis.asyncio
from family import AFTER_GRACE, HOME, Family, families_in, nonce

from idp.database import scripts
from idp.database.redis import RedisStore
from idp.database.scripts import Script
from idp.domain.errors import StoreUnavailable
from idp.domain.operation.limits import Category, Decision, Limit
from idp.domain.tokens.refresh_tokens import Outcome
from idp.repositories.operation import limits as module
from idp.repositories.operation.limits import BUCKETS, RedisLimits, network, seconds
from idp.repositories.operation.local_limits import LocalLimits
from idp.repositories.tokens.families import family_key, refreshes_key

MINUTE = timedelta(minutes=1)
KEY = b"a key for tests"
SERVER_CLOCK = "local time = redis.call('TIME')"
OWN_CLOCK = "local time = {math.floor(ARGV[6] / 1000), ARGV[6] % 1000 * 1000}"


def with_own_clock() -> Script:
    source = scripts.load("window", "limit").source
    assert source.count(SERVER_CLOCK) == 1
    source = source.replace(SERVER_CLOCK, OWN_CLOCK).replace("redis.call('PEXPIRE'", "type('PEXPIRE'")
    return Script(source, hashlib.sha1(source.encode()).hexdigest())


@dataclass
class Clock:
    ms: int = 1_795_000_000_000

    def __call__(self) -> float:
        return self.ms / 1000


def limits(
    store: RedisStore,
    count: int,
    local: LocalLimits | None = None,
    told: list[tuple[Category, bool, bool]] | None = None,
) -> RedisLimits:
    log = told if told is not None else []
    return RedisLimits(
        store,
        {Category.LOGIN: Limit(count, MINUTE), Category.ADMIN: Limit(count, MINUTE)},
        KEY,
        local or LocalLimits(1),
        lambda *decision: log.append(decision),
    )


@pytest.mark.parametrize("seed", range(8))
async def test_no_window_wherever_it_begins_holds_more_than_the_limit(store: RedisStore, seed: int) -> None:
    """A reference that remembers every call checks the script; the counter of a process decides as the script does."""
    chance, clock, script = Random(seed), Clock(), with_own_clock()
    limit = Limit(chance.choice([1, 3, 10]), timedelta(milliseconds=chance.choice([900, 1000, 7001, 60_000])))
    window = int(limit.window.total_seconds() * 1000)
    local, name, admitted = LocalLimits(1, clock=clock), f"rl:{{{uuid4()}}}".encode(), list[int]()
    for _ in range(400):
        clock.ms += chance.choice([0, 1, window // 50, window // 7, window // 3])
        answer = await store.run(script, (name,), limit.count, window, BUCKETS, 0, 0, clock.ms)
        allowed, remaining, fits_in, empty_in, _ = map(int, answer)
        decision = local.take(limit, name)

        assert decision.allowed == bool(allowed)
        assert decision.remaining == remaining
        if allowed:
            admitted.append(clock.ms)
        assert len([at for at in admitted if at > clock.ms - window]) <= limit.count
        assert 0 < fits_in <= empty_in <= window
        assert decision.retry_after == seconds(fits_in)
        assert decision.reset == seconds(empty_in)


async def test_a_call_fits_again_when_it_is_said_to(store: RedisStore) -> None:
    script, clock, name = with_own_clock(), Clock(), f"rl:{{{uuid4()}}}".encode()

    async def take() -> tuple[int, int]:
        answer = await store.run(script, (name,), 2, 60_000, BUCKETS, 0, 0, clock.ms)
        return int(answer[0]), int(answer[2])

    await take()
    clock.ms += 20_000
    await take()
    allowed, fits_in = await take()
    clock.ms += fits_in - 1
    too_early, _ = await take()
    clock.ms += 1
    then, _ = await take()

    assert (allowed, too_early, then) == (0, 0, 1)


async def test_who_is_refused_never_waits_longer_than_the_window(store: RedisStore) -> None:
    script, clock, name = with_own_clock(), Clock(), f"rl:{{{uuid4()}}}".encode()
    clock.ms -= clock.ms % 2000  # the beginning of a bucket, where its end is farthest away
    for _ in range(2):
        _, _, fits_in, empty_in, _ = map(int, await store.run(script, (name,), 1, 60_000, BUCKETS, 0, 0, clock.ms))

    assert (fits_in, empty_in) == (60_000, 60_000)


async def test_of_many_calls_at_once_as_many_are_allowed_as_the_limit_says(store: RedisStore) -> None:
    counted, subject = limits(store, 7), str(uuid4())

    decisions = await asyncio.gather(*(counted.take(Category.ADMIN, subject) for _ in range(200)))

    assert Counter(it.allowed for it in decisions if it) == {True: 7, False: 193}


async def test_a_counter_expires_and_hides_whose_it_is(store: RedisStore, cache: redis.asyncio.Redis) -> None:
    """LK16."""
    await cache.delete(*(await cache.keys("rl:*") or [b"none"]))
    for _ in range(5):
        await limits(store, 5).take(Category.LOGIN, "198.18.7.7")

    (name,) = await cache.keys("rl:*")

    assert b"198.18.7.7" not in name
    assert 50_000 < await cache.pttl(name) <= 60_000
    assert await cache.memory_usage(name) < 200


@pytest.mark.parametrize("other", ["a:b", "a\n", "a*", "{a}", "a}", "A", "a\0", "\udcff"])
async def test_subjects_and_categories_never_share_a_counter(store: RedisStore, other: str) -> None:
    """LK17."""
    counted, mark = limits(store, 1), str(uuid4())
    await counted.take(Category.ADMIN, f"{mark}a")

    decisions = [
        await counted.take(Category.ADMIN, mark + other),
        await counted.take(Category.LOGIN, f"{mark}a"),
        await counted.take(Category.ADMIN, f"{mark}a"),
    ]

    assert [it.allowed for it in decisions if it] == [True, True, False]


async def test_a_category_that_is_off_decides_nothing(store: RedisStore) -> None:
    assert await limits(store, 1).take(Category.REGISTER, "198.18.1.1") is None


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("fe80::1%eth0", "fe80::"),
        ("unknown", "unknown"),
    ],
)
def test_an_address_is_counted_with_its_network(address: str, counted: str) -> None:
    """LK7."""
    assert network(address) == counted


# Without Redis.


class Dead(RedisStore):
    """Counts how often it is asked; is down until it is *up*."""

    def __init__(self) -> None:
        self.asked, self.up, self.pinged = 0, False, asyncio.Event()

    async def run(self, *_: object) -> list[int]:
        self.asked += 1
        if not self.up:
            raise StoreUnavailable(reason="redis: down")
        return [1, 5, 0, 0, 0]

    async def ping(self) -> None:
        self.pinged.set()
        if not self.up:
            raise StoreUnavailable(reason="redis: down")


async def test_while_redis_is_down_each_process_allows_its_share_and_asks_no_more() -> None:
    store, told = Dead(), list[tuple[Category, bool, bool]]()
    counted = limits(store, 5, LocalLimits(workers=2), told)

    decisions = [await counted.take(Category.LOGIN, "198.18.1.1") for _ in range(5)]
    await counted.close()

    assert [it.allowed for it in decisions if it] == [True, True, True, False, False]
    assert store.asked == 1
    assert told == [(Category.LOGIN, allowed, True) for allowed in (True, True, True, False, False)]


async def test_redis_counts_again_once_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASKED_AGAIN", 0.0)
    store, told = Dead(), list[tuple[Category, bool, bool]]()
    counted = limits(store, 5, told=told)
    await counted.take(Category.LOGIN, "198.18.1.1")
    await store.pinged.wait()
    store.up = True
    async with asyncio.timeout(60):
        while told[-1][2]:
            await asyncio.sleep(0)
            await counted.take(Category.LOGIN, "198.18.1.1")
    await counted.close()

    assert store.asked == 2


async def test_bytes_are_counted_beside_calls(store: RedisStore) -> None:
    """DS10: in Redis and in one process alike; the first of a window may have any size, so that nobody waits forever."""
    limit, name = Limit(10, MINUTE, budget=1000), f"rl:{{{uuid4()}}}".encode()
    shared = RedisLimits(store, {Category.AUTHORIZE: limit}, KEY, LocalLimits(1))
    local, subject = LocalLimits(1), str(uuid4())

    for size, allowed in ((400, True), (601, False), (600, True), (1, False), (0, True)):
        decisions = [await shared.take(Category.AUTHORIZE, subject, size), local.take(limit, name, size)]
        assert [it.allowed for it in decisions if it] == [allowed, allowed]
        assert all(it.retry_after > 0 for it in decisions if it)

    assert [await first_of(shared, 5000), local.take(limit, b"another", 5000).allowed] == [True, True]


async def first_of(counted: RedisLimits, size: int) -> bool:
    decision = await counted.take(Category.AUTHORIZE, str(uuid4()), size)
    return decision is not None and decision.allowed


def test_the_memory_of_a_process_is_bounded_and_keeps_who_called_last() -> None:
    """LK16."""
    counted, limit = LocalLimits(1, most=100), Limit(1, MINUTE)
    for number in range(1000):
        counted.take(limit, b"flood %d" % number)
        counted.take(limit, b"steady")

    assert counted.remembered == 100
    assert not counted.take(limit, b"steady").allowed


# Together with a rotation.


@pytest.fixture
def limited(store: RedisStore, cache: redis.asyncio.Redis) -> Family:
    return Family(families_in(store, limit=Limit(3, MINUTE)), cache)


async def test_a_refresh_too_many_is_refused_and_leaves_the_family_as_it_was(limited: Family) -> None:
    token = await limited.started()
    for _ in range(3):
        token = await limited.next(token)
    before = await limited.cache.hgetall(limited.key)

    refused = await limited.rotate(token)

    assert refused.outcome is Outcome.LIMITED
    assert refused.decision is not None
    assert 0 < refused.decision.retry_after <= 60
    assert await limited.cache.hgetall(limited.key) == before
    await limited.cache.delete(refreshes_key(limited.user_id))
    assert await limited.outcome(token) is Outcome.OK


async def test_every_rotation_tells_how_many_are_left(limited: Family) -> None:
    first = await limited.started()
    second = await limited.rotate(first)
    again = await limited.rotate(first)

    assert [(it.outcome, it.decision and it.decision.remaining) for it in (second, again)] == [
        (Outcome.OK, 2),
        (Outcome.REISSUE, 1),
    ]


async def test_a_rebuilt_family_is_counted_once(limited: Family) -> None:
    first = await limited.started()
    await limited.cache.delete(limited.key)

    missing, rebuilt = await limited.rotate(first), await limited.rebuilt(first)

    assert (missing.outcome, missing.decision) == (Outcome.MISSING, None)
    assert rebuilt.outcome is Outcome.REBUILT
    assert rebuilt.decision is not None
    assert rebuilt.decision.remaining == 2


async def test_a_family_is_not_rebuilt_beyond_the_limit(limited: Family) -> None:
    token = await limited.started()
    for _ in range(3):
        token = await limited.next(token)
    await limited.cache.delete(limited.key)

    assert (await limited.rebuilt(token)).outcome is Outcome.LIMITED
    assert not await limited.cache.exists(limited.key)


async def test_a_call_repeated_with_its_own_proposal_is_counted_once(limited: Family) -> None:
    token, proposed = await limited.started(), nonce()
    for _ in range(5):
        repeated = await limited.rotate(token, proposed)

    assert repeated.outcome is Outcome.OK
    assert (await limited.rotate(repeated.successor or token)).decision == Decision(True, 3, 1, reset=60, retry_after=0)


async def test_theft_is_seen_beyond_the_limit_too(limited: Family) -> None:
    first = await limited.started()
    token = first
    for _ in range(3):
        token = await limited.next(token)

    assert await limited.outcome(first) is Outcome.REUSE


async def test_a_second_replay_beyond_the_limit_waits_and_a_late_one_is_theft(limited: Family) -> None:
    token = await limited.started()
    for _ in range(3):
        used, token = token, await limited.next(token)

    outcomes = [await limited.outcome(used) for _ in range(3)]
    await limited.time_passes(AFTER_GRACE)

    assert outcomes == [Outcome.REISSUE, Outcome.LIMITED, Outcome.LIMITED]
    assert await limited.outcome(used) is Outcome.REUSE


async def test_repetitions_from_the_place_of_the_rotation_are_counted_but_for_the_first(limited: Family) -> None:
    """RF23, LK1: free of suspicion, not of the limit."""
    token = await limited.started()
    for _ in range(3):
        used, token = token, await limited.next(token, HOME)

    outcomes = [await limited.outcome(used, HOME) for _ in range(2)]
    assert outcomes == [Outcome.REISSUE, Outcome.LIMITED]
    await limited.cache.delete(refreshes_key(limited.user_id))

    assert [(await limited.rotate(used, place=HOME)).outcome for _ in range(4)] == [
        *[Outcome.REISSUE] * 3,
        Outcome.LIMITED,
    ]


async def test_the_first_repetition_of_the_next_generation_is_answered_again(limited: Family) -> None:
    """RF23: at any rate, also right after a generation that was repeated."""
    used = await limited.started()
    token = await limited.next(used, HOME)
    assert await limited.outcome(used, HOME) is Outcome.REISSUE
    following = await limited.next(token, HOME)

    assert [await limited.outcome(token, HOME) for _ in range(2)] == [Outcome.REISSUE, Outcome.LIMITED]
    assert following.generation == 3


async def test_a_dead_token_uses_up_nothing_of_its_user(limited: Family) -> None:
    first = await limited.started()
    await limited.store.end(limited.id, limited.user_id, "logout", limited.expires_at)
    for _ in range(10):
        assert await limited.outcome(first) is Outcome.REVOKED

    assert not await limited.cache.exists(refreshes_key(limited.user_id))


async def test_families_of_one_user_share_a_limit_and_a_slot(store: RedisStore, limited: Family) -> None:
    other = Family(limited.store, limited.cache, user_id=limited.user_id)
    mine, theirs = await limited.started(), await other.started()

    outcomes = [await limited.outcome(mine), await other.outcome(theirs)]
    tags = [key.split(b"}")[0].split(b"{")[1] for key in (limited.key, other.key, refreshes_key(limited.user_id))]

    assert outcomes == [Outcome.OK, Outcome.OK]
    assert sum(int(held.split(b":")[0]) for held in await limited.cache.hvals(refreshes_key(limited.user_id))) == 2
    assert len(set(tags)) == 1
    assert family_key(limited.id, uuid4()) != limited.key


async def test_a_call_that_is_released_counts_no_longer_and_no_other_does(store: RedisStore) -> None:
    """In the shared counter and in that of a process."""
    for counted in (limits(store, 3), limits(Dead(), 3)):
        subject = str(uuid4())
        first, _ = [await counted.take(Category.ADMIN, subject) for _ in range(2)]
        assert first is not None
        await counted.release(Category.ADMIN, subject, first)
        allowed = [await counted.take(Category.ADMIN, subject) for _ in range(3)]

        assert [it.allowed for it in allowed if it] == [True, True, False]
        for _ in range(9):
            await counted.release(Category.ADMIN, subject, first)
        freed = [await counted.take(Category.ADMIN, subject) for _ in range(9)]
        assert sum(it.allowed for it in freed if it) <= 3
        await counted.close()
