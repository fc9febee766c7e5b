"""Counters of calls in the memory of one process, for while the shared ones cannot be asked."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

from idp.domain.limits import Decision, Limit

BUCKETS = 30
MOST_SUBJECTS = 50_000


class LocalLimits:
    """
    As the shared ones: no window, wherever it begins, holds more than this process' share of the limit.

    *workers* share a limit evenly, rounded up. Memory is bounded: beyond *most* subjects the one that called least recently
    is forgotten. *clock* counts seconds.
    """

    def __init__(self, workers: int, *, most: int = MOST_SUBJECTS, clock: Callable[[], float] = time.monotonic) -> None:
        self._workers = workers
        self._most = most
        self._clock = clock
        self._counters: OrderedDict[bytes, dict[int, int]] = OrderedDict()

    def take(self, limit: Limit, name: bytes) -> Decision:
        """Counts one call under *name*, if it is allowed."""
        share = ceil(limit.count / self._workers)
        width = int(limit.window.total_seconds() * 1000) / BUCKETS
        now = int(self._clock() * 1000)
        current = int(now // width)
        counter = self._counter(name, oldest=current - BUCKETS)
        allowed = sum(counter.values()) < share
        if allowed:
            counter[current] = counter.get(current, 0) + 1

        def leaves(bucket: int) -> int:
            return ceil(((bucket + BUCKETS + 1) * width - now) / 1000)

        return Decision(
            allowed,
            limit.count,
            share - sum(counter.values()),
            reset=leaves(max(counter)),
            retry_after=leaves(min(counter)),
        )

    @property
    def remembered(self) -> int:
        """How many subjects."""
        return len(self._counters)

    def _counter(self, name: bytes, oldest: int) -> dict[int, int]:
        """The buckets that count still. The one that the window's far end cuts through counts in full."""
        kept = {bucket: calls for bucket, calls in self._counters.pop(name, {}).items() if bucket >= oldest}
        self._counters[name] = kept
        if len(self._counters) > self._most:
            self._counters.popitem(last=False)
        return kept
