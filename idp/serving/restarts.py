"""When a process of the server that has ended is started again."""

from __future__ import annotations

import time
from collections.abc import Callable

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
ROUNDS = 3
# One that served this long has not failed of what it starts with.
STEADY_SECONDS = 10.0


class NoneStarts(Exception):
    """Not one process has become ready in several attempts, so there is nothing to hope for."""


class Restarts:
    """
    One that served is replaced at once, unless it and the 3 rounds of all *processes* before it served less than 10 seconds
    each: then, and while those started do not become ready, the pause before the next doubles, up to 10 seconds. If none ever
    has been ready after 3 rounds, `failed` raises `NoneStarts`.
    """

    def __init__(self, processes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._processes = processes
        self._clock = clock
        self._failures = 0
        self._crashes = 0
        self._ever_ready = False
        self._next_start = 0.0
        self._next_replacement = 0.0

    def became_ready(self) -> None:
        self._failures = 0
        self._ever_ready = True
        self._next_start = 0.0

    def failed(self, status: int | None) -> None:
        """One has ended, with exit status *status*, before it was ready."""
        self._failures += 1
        rounds = -(-self._failures // self._processes)
        if not self._ever_ready and rounds >= ROUNDS:
            raise NoneStarts(
                f"no worker could start in {self._failures} attempts, the last ended with status {status}; "
                "the log above says why (`start_failed`)"
            )
        self._next_start = self._clock() + _pause(rounds)

    def crashed(self, served: float) -> None:
        """One has ended that had been ready for *served* seconds."""
        self._crashes = self._crashes + 1 if served < STEADY_SECONDS else 1
        if (beyond := self._crashes - ROUNDS * self._processes) > 0:
            self._next_replacement = self._clock() + _pause(-(-beyond // self._processes))

    @property
    def due(self) -> bool:
        return self._clock() >= max(self._next_start, self._next_replacement)


def _pause(rounds: int) -> float:
    # After a thousand rounds, three hours, the power alone would be more than a float can hold.
    return min(FIRST_PAUSE * 2.0 ** min(rounds - 1, 10), LONGEST_PAUSE)
