"""How long nobody may try."""

from __future__ import annotations

from datetime import timedelta

import pytest

from idp.domain.sign_in.lockout import LockoutPolicy

LOCK = 15 * 60


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [
        (5, [1, 2, 4, 8, LOCK, LOCK]),
        (10, [0, 0, 0, 0, 0, 1, 2, 4, 8, LOCK, LOCK]),
        (6, [0, 1, 2, 4, 8, LOCK]),
        (4, [1, 2, 4, LOCK]),
        (3, [1, 2, LOCK]),
        (1, [LOCK, LOCK]),
        (1_000_000, [0] * 100),
    ],
)
def test_the_last_failures_before_the_lock_are_followed_by_delays(attempts: int, seconds: list[int]) -> None:
    policy = LockoutPolicy(attempts, timedelta(seconds=LOCK))

    assert [policy.blocked_after(n).total_seconds() for n in range(1, len(seconds) + 1)] == seconds


def test_no_delay_is_longer_than_the_lock() -> None:
    policy = LockoutPolicy(5, timedelta(seconds=3))

    assert [policy.blocked_after(n).total_seconds() for n in range(1, 7)] == [1, 2, 3, 3, 3, 3]
