"""Places for attempts, as the store gives them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from world import World

from idp.database.postgres import Postgres
from idp.domain.audit.events import SignInFailed
from idp.domain.errors import PasswordsBusy, TooManyAttempts
from idp.domain.sign_in.lockout import Counter, LockoutPolicy, Place
from idp.repositories.accounts.mails import PostgresMails
from idp.repositories.audit.events import AuditTrail
from idp.repositories.sign_in.sign_in_failures import PostgresSignInFailures, name_of
from idp.services.sign_in import lockout as module
from idp.services.sign_in.lockout import Lockout

KEY = b"a key for tests"
WRONG = SignInFailed(cause="wrong_password")
POLICY = LockoutPolicy(5, timedelta(minutes=15))


class Failures(PostgresSignInFailures):
    """Over the database of the world, which has opened it."""

    def __init__(self, world: World) -> None:
        self.world = world
        postgres = Postgres("", 5)
        trail = AuditTrail(postgres)
        super().__init__(postgres, trail, PostgresMails(postgres, trail), policy=POLICY, key=KEY)

    async def row(self, counter: Counter) -> dict[str, Any]:
        row = await self.world.database.fetchrow("SELECT * FROM sign_in_failures WHERE key = $1", name_of(counter, KEY))
        return dict(row) if row else {}

    async def later(self, counter: Counter, span: timedelta) -> None:
        await self.world.database.execute(
            """
            UPDATE sign_in_failures SET failed_at = failed_at - $2::interval, blocked_until = blocked_until - $2,
                pending_at = pending_at - $2, touched_at = touched_at - $2
            WHERE key = $1
            """,
            name_of(counter, KEY),
            span,
        )


@pytest.fixture
async def failures(world: World) -> AsyncIterator[Failures]:
    yield Failures(world)


@pytest.fixture
def counter() -> Counter:
    return Counter(f"{uuid4()}@example.com")


async def test_of_200_at_once_five_get_a_place(failures: Failures, counter: Counter) -> None:
    """LK2."""
    places = await asyncio.gather(*(failures.take_place(counter) for _ in range(200)))

    assert sum(place.taken for place in places) == 5
    assert {place for place in places if not place.taken} == {Place(taken=False)}


async def test_failures_and_places_together_are_never_more_than_attempts(failures: Failures, counter: Counter) -> None:
    for _ in range(3):
        await failures.take_place(counter)
        await failures.failed(counter, WRONG)
        await failures.later(counter, timedelta(seconds=8))

    places = await asyncio.gather(*(failures.take_place(counter) for _ in range(50)))

    assert sum(place.taken for place in places) == 2


async def test_a_place_given_back_is_free_and_counts_no_failure(failures: Failures, counter: Counter) -> None:
    for _ in range(20):
        assert (await failures.take_place(counter)).taken
        await failures.give_back(counter)

    assert (await failures.row(counter))["failures"] == 0


async def test_places_of_a_process_that_died_are_free_after_half_a_minute(failures: Failures, counter: Counter) -> None:
    for _ in range(5):
        await failures.take_place(counter)
    assert not (await failures.take_place(counter)).taken

    await failures.later(counter, timedelta(seconds=31))

    assert (await failures.take_place(counter)).taken


async def test_a_success_among_failures_under_way_forgets_them(failures: Failures, counter: Counter) -> None:
    for _ in range(5):
        await failures.take_place(counter)
    for _ in range(4):
        await failures.failed(counter, WRONG)
    await failures.succeeded(counter)

    row = await failures.row(counter)

    assert (row["failures"], row["pending"], row["blocked_until"]) == (0, 0, None)


async def test_only_counters_that_matter_no_more_are_purged(failures: Failures) -> None:
    """LK16."""
    counters = [Counter(f"{uuid4()}@example.com") for _ in range(3)]
    old, fresh, locked = counters
    for counter in counters:
        await failures.take_place(counter)
        await failures.failed(counter, WRONG)
        await failures.later(counter, timedelta(minutes=16 if counter is not fresh else 1))
    await failures.world.database.execute(
        "UPDATE sign_in_failures SET blocked_until = now() + interval '1 minute' WHERE key = $1", name_of(locked, KEY)
    )

    while await failures.purge(100) == 100:
        pass

    assert [bool(await failures.row(counter)) for counter in (old, fresh, locked)] == [False, True, True]


async def test_neither_address_nor_device_can_be_read_from_the_table(failures: Failures) -> None:
    counter = Counter("ada@example.com", uuid4(), b"device-of-sixteen")
    await failures.take_place(counter)

    kept = repr(list((await failures.row(counter)).values()))
    # Longer than what random bytes and digits may spell by chance.
    for told in ("ada@example", "example.com", "device-of-sixteen"):
        assert told not in kept
    assert name_of(counter, KEY) != name_of(Counter("ada@example.com"), KEY)


# The row that a process keeps of its own.


async def test_an_attempt_that_is_not_settled_gives_its_place_back(failures: Failures, counter: Counter) -> None:
    """As when too many passwords wait, or the caller goes away."""
    lockout = Lockout(failures, POLICY.attempts)
    for _ in range(6):
        with pytest.raises(PasswordsBusy):
            async with lockout.attempt(counter):
                raise PasswordsBusy

    assert (await failures.row(counter))["pending"] == 0


async def test_a_failure_counts_also_when_the_caller_goes_away_while_it_is_written(
    failures: Failures, counter: Counter
) -> None:
    """LK2: or whoever hangs up at the right moment would guess without an end."""
    lockout = Lockout(failures, POLICY.attempts)

    async def guess() -> None:
        async with lockout.attempt(counter) as attempt:
            evaluated.set()
            await attempt.failed(WRONG)

    evaluated = asyncio.Event()
    request = asyncio.create_task(guess())
    await evaluated.wait()
    request.cancel()
    await asyncio.wait((request,))
    async with asyncio.timeout(60):
        while (await failures.row(counter))["failures"] == 0:
            await asyncio.sleep(0.01)

    row = await failures.row(counter)
    assert request.cancelled()
    assert (row["failures"], row["pending"]) == (1, 0)


async def test_who_is_blocked_is_told_how_long_in_whole_seconds(failures: Failures, counter: Counter) -> None:
    lockout = Lockout(failures, POLICY.attempts)
    async with lockout.attempt(counter) as attempt:
        await attempt.failed(WRONG)

    with pytest.raises(TooManyAttempts) as refusal:
        async with lockout.attempt(counter):
            pass

    assert refusal.value.retry_after == 1


async def test_who_waits_too_long_for_a_place_is_told_to_come_again(
    failures: Failures, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of other processes in the store, or of this one."""
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    lockout = Lockout(failures, POLICY.attempts)
    for _ in range(5):
        await failures.take_place(counter)

    with pytest.raises(PasswordsBusy):
        async with lockout.attempt(counter):
            pass
