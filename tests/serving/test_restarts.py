"""Processes that do not become ready, or do not stay so, are started again later and later; those that served, at once."""

from __future__ import annotations

import pytest

from idp.serving.restarts import LONGEST_PAUSE, NoneStarts, Restarts


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def pause(restarts: Restarts, clock: Clock) -> float:
    """How long until the next may start."""
    begun = clock.now
    while not restarts.due:
        clock.now += 0.25
    return clock.now - begun


def test_the_pause_doubles_while_none_becomes_ready_and_has_an_end() -> None:
    clock = Clock()
    restarts = Restarts(1, clock)
    restarts.became_ready()

    pauses = []
    for _ in range(8):
        restarts.failed(1)
        pauses.append(pause(restarts, clock))

    assert pauses == [0.5, 1, 2, 4, 8, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


def test_one_that_served_is_replaced_at_once() -> None:
    restarts = Restarts(2, Clock())
    restarts.failed(1)
    assert not restarts.due

    restarts.became_ready()

    assert restarts.due


def test_those_that_crash_again_and_again_when_they_are_ready_are_replaced_later_and_later() -> None:
    clock = Clock()
    restarts = Restarts(2, clock)

    pauses = []
    for _ in range(14):
        restarts.became_ready()
        restarts.crashed(1)
        pauses.append(pause(restarts, clock))

    assert pauses == [0] * 6 + [0.5, 0.5, 1, 1, 2, 2, 4, 4]
    restarts.crashed(60)
    assert pause(restarts, clock) == 0


def test_it_gives_up_after_three_rounds_in_which_none_became_ready() -> None:
    restarts = Restarts(4, Clock())
    for _ in range(8):
        restarts.failed(1)

    with pytest.raises(NoneStarts, match="in 9 attempts, the last ended with status 3"):
        restarts.failed(3)


def test_it_does_not_give_up_once_one_was_ready() -> None:
    restarts = Restarts(1, Clock())
    restarts.became_ready()

    for _ in range(50):
        restarts.failed(1)


def test_it_goes_on_for_days() -> None:
    clock = Clock()
    restarts = Restarts(1, clock)
    restarts.became_ready()

    for _ in range(10_000):
        restarts.failed(1)
        restarts.crashed(1)

    assert pause(restarts, clock) == LONGEST_PAUSE
