"""
How long an answer takes tells nothing of an account: many pairs, known and unknown in random order (PW15).

The ordinary tests compare the work that is done; this one compares milliseconds, with nothing else running.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from math import erfc, sqrt
from random import Random
from statistics import median

import httpx
import pytest
from world import World

PAIRS = 2_000
WARM_UP = 50
Ask = Callable[[World, str], Awaitable[httpx.Response]]


async def login(world: World, email: str) -> httpx.Response:
    return await world.post("/auth/login", email=email, password="Wrong-Horse-7")


async def forgot(world: World, email: str) -> httpx.Response:
    return await world.post("/auth/forgot-password", email=email)


async def register(world: World, email: str) -> httpx.Response:
    return await world.post("/auth/register", email=email, password="Another-Pass-8", name="Eve")


def p_value(one: list[float], other: list[float]) -> float:
    """Mann and Whitney's test, two-sided, by its normal approximation: how likely so unlike samples are by chance."""
    ranked = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    ranks = sum(rank for rank, (_, sample) in enumerate(ranked, 1) if sample == 0)
    n, m = len(one), len(other)
    u = ranks - n * (n + 1) / 2
    deviation = sqrt(n * m * (n + m + 1) / 12)
    return erfc(abs(u - n * m / 2) / deviation / sqrt(2))


async def accounts(world: World, count: int) -> list[str]:
    """All made before, and their mails sent, so that what they cost falls on neither side."""
    emails = [await world.registered() for _ in range(count)]
    for email in emails:
        await world.mails(email)
    return emails


async def seconds(ask: Ask, world: World, email: str) -> float:
    begun = time.perf_counter()
    await ask(world, email)
    return time.perf_counter() - begun


@pytest.mark.soak
@pytest.mark.parametrize("ask", [login, forgot])
async def test_a_known_address_takes_as_long_as_an_unknown_one(world: World, ask: Ask) -> None:
    """PW15, RG2: no more than chance between them, and less than 2 ms."""
    known, unknown = await measured(world, ask)

    assert abs(median(known) - median(unknown)) < 0.002
    assert p_value(known, unknown) > 0.01


@pytest.mark.soak
async def test_registering_a_known_address_takes_half_a_millisecond_more_or_less_at_most(world: World) -> None:
    """
    RG1. The statements are the same, but writing a new row takes about 0.1 ms more than locking one that is there.

    So many pairs with the cheapest hash show that; beside a hash of the default cost it is less than a two-thousandth.
    """
    known, unknown = await measured(world, register)

    assert abs(median(known) - median(unknown)) < 0.0005


async def measured(world: World, ask: Ask) -> tuple[list[float], list[float]]:
    """Seconds that each answer took: for known addresses, and for unknown ones."""
    known, unknown, chance = list[float](), list[float](), Random(7)
    for there in await accounts(world, WARM_UP + PAIRS):
        for times, email in chance.sample([(known, there), (unknown, world.new_email())], 2):
            times.append(await seconds(ask, world, email))
            # The mail that follows an answer takes the machine, and must not fall on what is measured next.
            await world.mails(email)

    known, unknown = known[WARM_UP:], unknown[WARM_UP:]
    print(f"median {median(known) * 1000:.2f} ms known, {median(unknown) * 1000:.2f} ms unknown")
    return known, unknown


def test_samples_that_differ_are_told_apart_and_equal_ones_are_not() -> None:
    even, odd = [float(it) for it in range(0, 400, 2)], [float(it) for it in range(1, 400, 2)]

    assert p_value(even, odd) > 0.5
    assert p_value(even, [it + 40 for it in odd]) < 0.01
