"""When a process of the server that has ended is started again."""

from __future__ import annotations

import time
from collections.abc import Callable

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
ROUNDS = 3


class NoneStarts(Exception):
    """Not one process has become ready in several attempts, so there is nothing to hope for."""


class Restarts:
    """
    One that served is replaced at once. While those started do not become ready, the pause before the next doubles, up to
    10 seconds; if none ever has been ready after 3 rounds of all *processes*, `failed` raises `NoneStarts`.
    """

    def __init__(self, processes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._processes = processes
        self._clock = clock
        self._failures = 0
        self._ever_ready = False
        self._next_at = 0.0

    def became_ready(self) -> None:
        self._failures = 0
        self._ever_ready = True
        self._next_at = 0.0

    def failed(self, status: int | None) -> None:
        """One has ended, with exit status *status*, before it was ready."""
        self._failures += 1
        rounds = -(-self._failures // self._processes)
        if not self._ever_ready and rounds >= ROUNDS:
            raise NoneStarts(
                f"no worker could start in {self._failures} attempts, the last ended with status {status}; "
                "the log above says why (`start_failed`)"
            )
        self._next_at = self._clock() + min(FIRST_PAUSE * 2 ** (rounds - 1), LONGEST_PAUSE)

    @property
    def due(self) -> bool:
        return self._clock() >= self._next_at
