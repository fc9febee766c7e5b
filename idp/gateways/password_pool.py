"""Threads for what holds a core: few of them, at low priority, with a queue no longer than its deadline."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from math import ceil
from typing import TypeVar

from idp.domain.errors import PasswordsBusy

T = TypeVar("T")

WEIGHT_OF_LATEST = 0.2
NICENESS = 10


class PasswordPool:
    """Threads with a queue no longer than what they can do before the deadline."""

    def __init__(
        self,
        threads: int,
        deadline: float,
        first_guess: float,
        clock: Callable[[], float],
        on_done: Callable[[float], None],
    ) -> None:
        self._threads, self._deadline, self._clock, self._on_done = threads, deadline, clock, on_done
        self._executor = ThreadPoolExecutor(threads, "bcrypt", initializer=_let_others_go_first)
        self._lock = threading.Lock()
        self._average = first_guess
        self._waiting = 0
        self._closed = False

    @property
    def waiting(self) -> int:
        return self._waiting

    async def run(self, work: Callable[[], T]) -> T:
        """The result of *work*, which never starts if its caller is cancelled before. Raises `PasswordsBusy`."""
        return await asyncio.wrap_future(self._submitted(work))

    def close(self) -> None:
        with self._lock:
            self._closed = True
        # Cancelling them would look to their callers as if they themselves had been cancelled.
        self._executor.shutdown(wait=False, cancel_futures=False)

    def _submitted(self, work: Callable[[], T]) -> Future[T]:
        with self._lock:
            wait = self._waiting * self._average / self._threads
            if self._closed or wait > self._deadline:
                raise _busy(wait)
            self._waiting += 1
            job = self._executor.submit(self._started, work, self._clock())
        job.add_done_callback(self._forget_if_cancelled)
        return job

    def _started(self, work: Callable[[], T], submitted_at: float) -> T:
        started_at = self._clock()
        with self._lock:
            self._waiting -= 1
            wait = self._waiting * self._average / self._threads
            refused = self._closed or started_at - submitted_at > self._deadline
        if refused:
            raise _busy(wait)
        result = work()
        self._learn(self._clock() - started_at)
        return result

    def _learn(self, duration: float) -> None:
        self._on_done(duration)
        with self._lock:
            self._average += WEIGHT_OF_LATEST * (duration - self._average)

    def _forget_if_cancelled(self, job: Future[T]) -> None:
        if job.cancelled():
            with self._lock:
                self._waiting -= 1


def _busy(wait: float) -> PasswordsBusy:
    busy = PasswordsBusy(reason="the queue for bcrypt is longer than its deadline")
    busy.retry_after = max(1, ceil(wait))
    return busy


def _let_others_go_first() -> None:
    # Only Linux gives each thread its own niceness; elsewhere this would be another process.
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
