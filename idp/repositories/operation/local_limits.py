"""Counters of calls in the memory of one process, for while the shared ones cannot be asked."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from idp.domain.operation.limits import Decision, Limit

BUCKETS = 30
MOST_SUBJECTS = 50_000


@dataclass(slots=True)
class _Bucket:
    """*latest* of its calls, in milliseconds."""

    calls: int = 0
    latest: int = 0
    size: int = 0

    def count(self, now: int, size: int) -> None:
        self.calls += 1
        self.latest = now
        self.size += size


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
        self._counters: OrderedDict[bytes, dict[int, _Bucket]] = OrderedDict()

    def take(self, limit: Limit, name: bytes, size: int = 0) -> Decision:
        """Counts one call of *size* bytes under *name*, if it is allowed."""
        share = ceil(limit.count / self._workers)
        window = int(limit.window.total_seconds() * 1000)
        now = int(self._clock() * 1000)
        counter = self._counter(name, after=now - window)
        counted = sum(bucket.calls for bucket in counter.values())
        kept = sum(bucket.size for bucket in counter.values())
        fits = limit.budget is None or counted == 0 or kept + size <= limit.budget / self._workers
        allowed = counted < share and fits
        bucket = int(now // (window / BUCKETS))
        if allowed:
            counter.setdefault(bucket, _Bucket()).count(now, size)
        latest = [bucket.latest for bucket in counter.values()]
        return Decision(
            allowed,
            limit.count,
            share - counted - allowed,
            reset=ceil((max(latest) + window - now) / 1000),
            retry_after=ceil((min(latest) + window - now) / 1000),
            bucket=bucket,
        )

    def release(self, name: bytes, bucket: int) -> None:
        """One call in that bucket counts no longer, if any does."""
        counter = self._counters.get(name, {})
        held = counter.get(bucket)
        if held is not None:
            held.calls -= 1
            if held.calls == 0:
                del counter[bucket]

    @property
    def remembered(self) -> int:
        """How many subjects."""
        return len(self._counters)

    def _counter(self, name: bytes, after: int) -> dict[int, _Bucket]:
        """The buckets that count still: in full, until their latest call leaves the window."""
        kept = {number: bucket for number, bucket in self._counters.pop(name, {}).items() if bucket.latest > after}
        self._counters[name] = kept
        if len(self._counters) > self._most:
            self._counters.popitem(last=False)
        return kept
