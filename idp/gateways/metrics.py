"""
The metrics of this process, and of all workers of a server together, as Prometheus text.

What happens on every request is added up in plain numbers and handed to prometheus_client once a second: its counters in
files shared by several processes cost 2 µs each, which would be a percent of a token. So a scrape may be a second behind
for other workers than the one that answers it, and a worker that is killed takes its last second along.

With `PROMETHEUS_MULTIPROC_DIR` in the environment, as `idp serve` sets it for its workers, a scrape at any worker gives the
sums over all.
"""

from __future__ import annotations

import asyncio
import os
import platform
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from idp.gateways.metrics_folder import FOLDER

PUBLISH_SECONDS = 1.0

REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
STORE_SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
HASH_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 1.0, 2.5)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"

Labels = tuple[str, ...]


class Count:
    """A counter. `add` is called on the event loop only."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._pending: dict[Labels, int] = {}

    def add(self, *labels: str) -> None:
        self._pending[labels] = self._pending.get(labels, 0) + 1

    def publish(self) -> None:
        pending, self._pending = self._pending, {}
        for labels, count in pending.items():
            _child(self._counter, labels).inc(count)


class Spans:
    """A histogram of seconds. `add` is called on the event loop only."""

    def __init__(self, histogram: Histogram, bounds: Sequence[float]) -> None:
        self._histogram = histogram
        self._bounds = bounds
        self._pending: dict[Labels, tuple[list[int], list[float]]] = {}

    def add(self, seconds: float, *labels: str) -> None:
        pending = self._pending.get(labels)
        if pending is None:
            pending = self._pending[labels] = [0] * (len(self._bounds) + 1), [0.0]
        pending[0][bisect_left(self._bounds, seconds)] += 1
        pending[1][0] += seconds

    def publish(self) -> None:
        pending, self._pending = self._pending, {}
        for labels, (counts, total) in pending.items():
            child = _child(self._histogram, labels)
            # As its own `observe` does, but once for all that fell into a bucket.
            child._sum.inc(total[0])
            for bucket, count in zip(child._buckets, counts, strict=True):
                if count:
                    bucket.inc(count)


@dataclass(frozen=True, slots=True)
class Described:
    """A metric as the documentation lists it, and the *samples* that a scrape has of it, all but buckets with *labels*."""

    name: str
    kind: str
    meaning: str
    labels: Labels
    samples: tuple[str, ...]


def _child(metric: Any, labels: Labels) -> Any:
    return metric.labels(*labels) if labels else metric


class Metrics:
    """Everything that is measured. Its methods are what the other layers are given to call."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.described: list[Described] = []
        self._published: list[Count | Spans] = []
        self._watched: list[tuple[Any, Callable[[], float | None]]] = []
        self._requests = self._count("idp_http_requests", "Requests answered.", "method", "route", "status")
        self._request_seconds = self._spans("idp_http_request_seconds", "Time to answer.", REQUEST_SECONDS, "route")
        self._issued = self._count("idp_tokens_issued", "Token answers by grant.", "grant")
        self._refreshes = self._count("idp_refresh_outcomes", "What became of refresh tokens presented.", "outcome")
        self._sign_ins = self._count("idp_sign_ins", "Attempts to sign in with a password.", "result")
        self._lockouts = self._count("idp_lockouts", "Identifiers locked after too many failures.")
        self._limits = self._count("idp_limit_decisions", "Decisions of rate limits.", "category", "decision", "store")
        self._hits = self._count("idp_redis_hits", "Families that Redis knew.")
        self._misses = self._count("idp_redis_misses", "Families that Redis did not know.")
        self._redis_seconds = self._spans("idp_redis_call_seconds", "A round trip to Redis.", STORE_SECONDS)
        self._redis_errors = self._count("idp_redis_errors", "Round trips to Redis that failed.")
        self._clients = self._count("idp_client_cache", "Lookups of clients in the memory of a process.", "result")
        self._postgres_seconds = self._spans(
            "idp_postgres_query_seconds", "A use of Postgres: one statement or one transaction.", STORE_SECONDS
        )
        self._postgres_errors = self._count("idp_postgres_errors", "Uses of Postgres that failed.")
        self._reads = self._count(
            "idp_postgres_reads",
            "Reads that may be a moment old, by who answered: replica, primary or fallback.",
            "target",
        )
        self._events = self._count("idp_audit_events", "Events written to the audit trail.", "name")
        self._mails = self._count("idp_mails", "Attempts to deliver mails.", "result")
        self._logout_notices = self._count("idp_logout_notices", "Calls that tell clients of a logout.", "result")
        # From the threads of bcrypt, so by the library's own means, which lock.
        self._hash_seconds = self._histogram("idp_password_hash_seconds", "One bcrypt.", HASH_SECONDS)
        self._refused_hashes = self._count("idp_password_refused", "Passwords not looked at, too many waiting.")
        build = self._gauge("idp_build_info", "1, and what runs.", "livemax", "version", "python")
        self.watch(build.labels(version("idp"), platform.python_version()), lambda: 1)
        self._pool = self._gauge("idp_postgres_pool", "Connections to Postgres.", "livesum", "state")
        self._replica_lag = self._gauge(
            "idp_replica_lag_seconds", "How old what a standby tells may be.", "livemax", "replica"
        )
        self._replica_usable = self._gauge("idp_replica_usable", "1 while a standby is asked.", "livemin", "replica")
        self._queue = self._gauge("idp_password_queue", "Passwords waiting for bcrypt.", "livesum")
        self._key_age = self._gauge(
            "idp_signing_key_age_seconds", "Since the oldest key that signs was made.", "livemax"
        )

    # What is observed.

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """*route* is the pattern that matched: what a caller makes up must not become a label."""
        self._requests.add(method if method in METHODS else OTHER, route, str(status))
        self._request_seconds.add(seconds, route)

    def issued(self, grant: str) -> None:
        self._issued.add(grant)

    def refresh(self, outcome: str) -> None:
        self._refreshes.add(outcome)

    def family(self, known: bool) -> None:
        (self._hits if known else self._misses).add()

    def event(self, name: str, cause: str | None) -> None:
        self._events.add(name)
        if name == "signed_in":
            self._sign_ins.add("success")
        elif name == "sign_in_failed":
            self._sign_ins.add(cause or "failed")
        elif name == "account_locked":
            self._lockouts.add()

    def blocked_sign_in(self) -> None:
        self._sign_ins.add("blocked")

    def limit(self, category: str, allowed: bool, local: bool) -> None:
        self._limits.add(category, "allowed" if allowed else "refused", "local" if local else "redis")

    def client_lookup(self, remembered: bool) -> None:
        self._clients.add("hit" if remembered else "miss")

    def redis(self, seconds: float, failed: bool) -> None:
        self._redis_seconds.add(seconds)
        if failed:
            self._redis_errors.add()

    def postgres(self, seconds: float, failed: bool) -> None:
        self._postgres_seconds.add(seconds)
        if failed:
            self._postgres_errors.add()

    def read(self, target: str) -> None:
        self._reads.add(target)

    def mail(self, result: str) -> None:
        self._mails.add(result)

    def logout_notice(self, result: str) -> None:
        self._logout_notices.add(result)

    def password_hash(self, seconds: float) -> None:
        """May be called from any thread."""
        self._hash_seconds.observe(seconds)

    def password_refused(self) -> None:
        self._refused_hashes.add()

    # What is asked for when it is published.

    def watch(self, gauge: Any, value: Callable[[], float | None]) -> None:
        """*value* None: not known now, so the gauge stays."""
        self._watched.append((gauge, value))

    def watch_pool(self, state: Callable[[], dict[str, int]]) -> None:
        for name in ("size", "idle", "max"):
            self.watch(self._pool.labels(name), lambda name=name: state().get(name))  # type: ignore[misc]

    def watch_replicas(self, states: Callable[[], Sequence[Any]]) -> None:
        """Each has a `number`, a `lag` in seconds or None, and whether it is `usable`."""
        for place, state in enumerate(states()):
            number = str(state.number)
            lag = self._replica_lag.labels(number)
            usable = self._replica_usable.labels(number)
            self.watch(lag, lambda place=place: states()[place].lag)  # type: ignore[misc]
            self.watch(usable, lambda place=place: float(states()[place].usable))  # type: ignore[misc]

    def watch_queue(self, waiting: Callable[[], int]) -> None:
        self.watch(self._queue, waiting)

    def watch_key(self, age: Callable[[], float | None]) -> None:
        self.watch(self._key_age, age)

    # Told.

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                self.publish()
                await asyncio.sleep(PUBLISH_SECONDS)
        finally:
            self.publish()

    def publish(self) -> None:
        for metric in self._published:
            metric.publish()
        for gauge, value in self._watched:
            now = value()
            if now is not None:
                gauge.set(now)

    async def text(self) -> bytes:
        """Version 0.0.4 of the text format. Reading the files of many workers takes a while, so a thread does it."""
        self.publish()
        return await asyncio.to_thread(self._text)

    def _text(self) -> bytes:
        if FOLDER not in os.environ:
            return generate_latest(self._registry)
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        return generate_latest(everyone)

    def _count(self, name: str, meaning: str, *labels: str) -> Count:
        made = Count(Counter(name, meaning, labels, registry=self._registry))
        self.described.append(Described(f"{name}_total", "counter", meaning, labels, (f"{name}_total",)))
        self._published.append(made)
        return made

    def _spans(self, name: str, meaning: str, bounds: Sequence[float], *labels: str) -> Spans:
        made = Spans(self._histogram(name, meaning, bounds, *labels), bounds)
        self._published.append(made)
        return made

    def _histogram(self, name: str, meaning: str, bounds: Sequence[float], *labels: str) -> Histogram:
        samples = tuple(f"{name}_{part}" for part in ("bucket", "count", "sum"))
        self.described.append(Described(name, "histogram", meaning, labels, samples))
        return Histogram(name, meaning, labels, buckets=bounds, registry=self._registry)

    def _gauge(self, name: str, meaning: str, mode: Any, *labels: str) -> Gauge:
        self.described.append(Described(name, "gauge", meaning, labels, (name,)))
        return Gauge(name, meaning, labels, registry=self._registry, multiprocess_mode=mode)
