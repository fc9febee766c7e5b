"""
Standbys, which answer what may be a moment old.

How old is not asked of a standby alone, since it cannot know: cut off from its primary it believes itself up to date. Each
second the primary is asked how far its log has come, and each standby how far it has replayed it. What a standby had
replayed at the last look, the primary had written at a known instant; while that instant is no longer ago than the
longest lag allowed, nothing that the standby tells is older. So the bound holds also between two looks, and when the looks
themselves fail.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import structlog

from idp.database.postgres import Postgres, answering, keep_session_state
from idp.database.servers import CONNECT_TIMEOUT, Servers
from idp.domain.errors import StoreUnavailable

log = structlog.get_logger("idp.replicas")

LOOK_EVERY = 1.0  # seconds
LOOK_DEADLINE = 1.0
READ_DEADLINE = 2.5
LONGEST_PAUSE = 30.0

# The cluster tells whether a standby is one of this primary's. Null where nothing is written, or nothing replayed.
WRITTEN = """
SELECT CASE WHEN NOT pg_is_in_recovery() THEN (pg_current_wal_lsn() - '0/0')::bigint END AS place,
    (SELECT system_identifier FROM pg_control_system()) AS cluster
"""
REPLAYED = """
SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0')::bigint END AS place,
    (SELECT system_identifier FROM pg_control_system()) AS cluster
"""


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """*number* counts from 1 in the order of the setting. *lag* in seconds; None: not known since the process began."""

    number: int
    usable: bool
    lag: float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """How far the log of the primary had come *at* an instant of the monotonic clock."""

    at: float
    place: int
    cluster: int


class Replica:
    """One standby: a pool for reads, and one connection to look at it with."""

    def __init__(
        self,
        number: int,
        url: str,
        pool: int,
        longest_lag: float,
        connection_class: type[asyncpg.Connection] = asyncpg.Connection,
    ) -> None:
        self.number = number
        self._connection_class = connection_class
        self._servers = Servers(url)
        self._most = max(1, pool - 1)
        self._longest_lag = longest_lag
        self._pool: asyncpg.Pool | None = None
        self._watch: asyncpg.Connection | None = None
        self._answers = False
        self._current_at: float | None = None  # when the primary was where this one is, at least
        self._pause = 0.0
        self._next_look = 0.0
        self._reported: bool | None = None

    @property
    def lag(self) -> float | None:
        return None if self._current_at is None else time.monotonic() - self._current_at

    @property
    def usable(self) -> bool:
        return (
            self._answers and self._current_at is not None and time.monotonic() < self._current_at + self._longest_lag
        )

    async def fetch(self, query: str, *arguments: Any) -> Sequence[asyncpg.Record]:
        """Raises `StoreUnavailable`, and then is not asked again before the next look at it has succeeded."""
        try:
            async with answering(READ_DEADLINE), (await self._opened()).acquire() as connection:
                rows: Sequence[asyncpg.Record] = await connection.fetch(query, *arguments)
        except StoreUnavailable as fault:
            await self._fails(str(fault))
            raise
        return rows

    async def look(self, samples: Sequence[Sample]) -> None:
        """*samples* in order of time. Seldom when it fails again and again."""
        if time.monotonic() < self._next_look:
            return
        try:
            async with answering(LOOK_DEADLINE):
                seen = await (await self._watching()).fetchrow(REPLAYED)
        except (StoreUnavailable, asyncpg.PostgresError) as fault:
            self._drop_watch()
            self._pause = min(LONGEST_PAUSE, self._pause * 2 or LOOK_EVERY)
            self._next_look = time.monotonic() + self._pause
            await self._fails(str(fault) if isinstance(fault, StoreUnavailable) else type(fault).__name__)
            return
        self._pause = 0.0
        self._take(seen["place"], seen["cluster"], samples)

    def _take(self, place: int | None, cluster: int, samples: Sequence[Sample]) -> None:
        passed = [sample.at for sample in samples if place is not None and sample.place <= place]
        if place is None or any(sample.cluster != cluster for sample in samples):
            self._answers = False
            self._report("it is no standby of this primary")
            return
        if passed:
            self._current_at = max(passed[-1], self._current_at or passed[-1])
        self._answers = True
        self._report("it is too far behind")

    async def _fails(self, reason: str) -> None:
        self._answers = False
        self._report(reason)
        if self._pool is not None:
            await self._pool.expire_connections()

    def _report(self, reason: str) -> None:
        usable = self.usable
        if usable and not self._reported:
            log.info("replica_in_use", replica=self.number)
        elif not usable and self._reported is not False:
            log.warning("replica_not_in_use", replica=self.number, reason=reason)
        self._reported = usable

    async def _opened(self) -> asyncpg.Pool:
        if self._pool is None:  # connects to nothing yet
            self._pool = await asyncpg.create_pool(
                **self._servers.pooled,
                min_size=0,
                max_size=self._most,
                timeout=CONNECT_TIMEOUT,
                command_timeout=READ_DEADLINE,
                reset=keep_session_state,
                server_settings={"application_name": "idp"},
                connection_class=self._connection_class,
            )
        return self._pool

    async def _watching(self) -> asyncpg.Connection:
        if self._watch is None or self._watch.is_closed():
            self._watch = await self._servers.connect(timeout=LOOK_DEADLINE, command_timeout=LOOK_DEADLINE)
        return self._watch

    def _drop_watch(self) -> None:
        if self._watch is not None:
            self._watch.terminate()
            self._watch = None

    def close(self) -> None:
        self._drop_watch()
        if self._pool is not None:
            self._pool.terminate()


class Replicas:
    """Those of one primary, taken in turn. None is an answer too: then there is nothing to do, and nothing is done."""

    def __init__(
        self,
        primary: Postgres,
        urls: Sequence[str],
        pool: int,
        longest_lag: timedelta,
        connection_class: type[asyncpg.Connection] = asyncpg.Connection,
    ) -> None:
        """*pool*: connections to each, at most. *connection_class* is theirs."""
        self._primary = primary
        self._longest_lag = longest_lag.total_seconds()
        self._replicas = [
            Replica(number, url, pool, self._longest_lag, connection_class) for number, url in enumerate(urls, 1)
        ]
        self._turn = 0
        self._samples: deque[Sample] = deque()

    def __len__(self) -> int:
        return len(self._replicas)

    def choose(self) -> Replica | None:
        """The next one that is usable."""
        for _ in self._replicas:
            self._turn = (self._turn + 1) % len(self._replicas)
            if self._replicas[self._turn].usable:
                return self._replicas[self._turn]
        return None

    def states(self) -> list[ReplicaState]:
        return [ReplicaState(replica.number, replica.usable, replica.lag) for replica in self._replicas]

    async def run(self) -> None:
        """Looks at all of them, until cancelled."""
        while True:
            started = time.monotonic()
            await self.look()
            await asyncio.sleep(max(0.0, started + LOOK_EVERY - time.monotonic()))

    async def look(self) -> None:
        await self._sample()
        await asyncio.gather(*(replica.look(tuple(self._samples)) for replica in self._replicas))

    async def _sample(self) -> None:
        at = time.monotonic()
        try:
            async with self._primary.connection(LOOK_DEADLINE) as connection:
                seen = await connection.fetchrow(WRITTEN)
        except StoreUnavailable:
            return  # the standbys grow old meanwhile
        if seen["place"] is not None:
            if self._samples and seen["place"] < self._samples[-1].place:
                self._samples.clear()  # another primary, whose log parted from that of the one before
            self._samples.append(Sample(at, seen["place"], seen["cluster"]))
        while self._samples and self._samples[0].at < at - self._longest_lag:
            self._samples.popleft()

    def close(self) -> None:
        for replica in self._replicas:
            replica.close()
