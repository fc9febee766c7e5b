"""
Refresh tokens under random faults: an honest client is never signed out, and of two who hold a family both lose it.

Answers get lost, the store goes back by up to a second or forgets everything, hours pass: all by seeded chance, on a
virtual clock. Each run is a session of its own; many go at once.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

import pytest
import redis.asyncio
from family import ELSEWHERE, HOME
from virtual_session import VirtualSession, with_own_clock

from idp.database.redis import RedisStore
from idp.domain.tokens.refresh_tokens import Place
from idp.repositories.tokens import families

STEPS = 25
ROUNDS = 60
TOGETHER = 50

Session = Callable[[int], VirtualSession]
short_and_long = pytest.mark.parametrize("runs", [150, pytest.param(3000, marks=pytest.mark.soak)])


@pytest.fixture
def session(store: RedisStore, cache: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch) -> Session:
    for name in ("START", "ROTATE"):
        monkeypatch.setattr(families, name, with_own_clock(getattr(families, name), hashlib.sha1))
    return lambda seed: VirtualSession(store, cache, Random(seed))


async def all_of(runs: int, run: Callable[[int], Awaitable[str | None]]) -> Counter[str | None]:
    """How the runs ended."""
    gate = asyncio.Semaphore(TOGETHER)

    async def one(seed: int) -> str | None:
        async with gate:
            return await run(seed)

    return Counter(await asyncio.gather(*map(one, range(runs))))


async def honest(session: VirtualSession, *, roams: bool = False) -> str | None:
    """
    Why the session ended, or None. The client repeats what was not answered, up to three times, within the grace. One that
    *roams* is now at one address and now at another.
    """

    def place() -> Place:
        return session.chance.choice([HOME, ELSEWHERE]) if roams else HOME

    token = await session.begin()
    for _ in range(STEPS):
        await session.passes(session.chance.choice([50, 3_000, 60_000, 900_000]))
        await session.loses(rollback=0.08, flush=0.04)
        answer = await session.refresh(token, place())
        for _ in range(3):
            if answer is None or session.chance.random() >= 0.15:
                break
            await session.passes(session.chance.randint(1, 1_500))
            await session.loses(rollback=0.15, flush=0.05)
            answer = await session.refresh(token, place())
        if answer is None:
            return session.ended_for or "refused"
        token = answer
    return session.ended_for


async def two_tabs(session: VirtualSession) -> str | None:
    """Why the session ended, or None. Both present the same token at every refresh, in either order; answers get lost."""
    token = await session.begin()
    for _ in range(12):
        await session.passes(840_000)
        answers = []
        for _ in range(session.chance.randint(2, 3)):
            await session.passes(session.chance.randint(0, 2_000))
            answers.append(await session.refresh(token))
        if None in answers or len(set(answers)) != 1:
            return session.ended_for or "refused"
        token = answers[0] or ""
    return session.ended_for


async def robbed(
    session: VirtualSession, *, in_step: bool, faults: bool = False, thiefs: Place = ELSEWHERE
) -> str | None:
    """Why the session ended after a thief took its present token or an older one, or None if both live on."""
    places = {"owner": HOME, "thief": thiefs}
    owner, used = await session.begin(), []
    for _ in range(session.chance.randint(1, 4)):
        await session.passes(60_000)
        used.append(owner)
        owner = await session.refresh(owner) or ""
    held = {"owner": owner, "thief": owner if session.chance.random() < 0.5 else session.chance.choice(used)}
    for _ in range(ROUNDS):
        await session.passes(900_000 if in_step else session.chance.choice([100, 20_000, 900_000]))
        if faults:
            await session.loses(rollback=0.05, flush=0.02)
        for who in session.chance.sample(["owner", "thief"], 2):
            await session.passes(session.chance.randint(10, 3_000) if in_step else session.chance.choice([0, 20_000]))
            if in_step or who == "owner" or session.chance.random() < 0.6:
                held[who] = await session.refresh(held[who], places[who]) or held[who]
        if session.ended_for:
            return session.ended_for
    return None


@short_and_long
async def test_no_fault_signs_an_honest_client_out(session: Session, runs: int) -> None:
    """RF11, RF22."""
    assert await all_of(runs, lambda seed: honest(session(seed))) == {None: runs}


@short_and_long
async def test_two_tabs_that_refresh_at_the_same_moments_stay_signed_in(session: Session, runs: int) -> None:
    """RF23."""
    assert await all_of(runs, lambda seed: two_tabs(session(seed))) == {None: runs}


@short_and_long
async def test_only_repetitions_from_elsewhere_end_an_honest_session_and_that_seldom(
    session: Session, runs: int
) -> None:
    """With one answer in seven lost, and half of the repetitions from another address."""
    ends = await all_of(runs, lambda seed: honest(session(seed), roams=True))

    assert set(ends) <= {None, "reuse"}
    assert ends["reuse"] <= max(2, runs // 50)


@pytest.mark.parametrize("faults", [False, True], ids=["no faults", "faults"])
@pytest.mark.parametrize("in_step", [False, True], ids=["at random", "in step"])
@short_and_long
async def test_a_family_that_two_hold_always_ends(session: Session, in_step: bool, faults: bool, runs: int) -> None:
    """RF2, RF6, RF22: one at one place and one at another."""
    ends = await all_of(runs, lambda seed: robbed(session(seed), in_step=in_step, faults=faults))

    assert set(ends) <= {"reuse", "fork"}


@short_and_long
async def test_a_thief_at_the_owners_place_has_to_keep_in_step(session: Session, runs: int) -> None:
    """RF2: who comes from the same address with the same user agent is found out at any other moment."""
    ends = await all_of(runs, lambda seed: robbed(session(seed), in_step=False, thiefs=HOME))

    assert set(ends) <= {"reuse", "fork"}
