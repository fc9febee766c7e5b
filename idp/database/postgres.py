"""
Postgres, behind one choke point: a deadline on every use, and every fault of the driver leaves here as `StoreUnavailable`.

Tortoise owns the pool. The read that every refresh makes has a connection of its own and shares round trips: through the
pool it would cost three times the CPU.

What is decided here is decided on the server that takes writes. One that stops taking them, because another one was
promoted, is left: all connections to it are dropped, since what it still tells may be old.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
from asyncpg import exceptions
from tortoise import Tortoise, connections
from tortoise.exceptions import DBConnectionError, OperationalError

from idp.database.servers import CONNECT_TIMEOUT, Servers, takes_writes
from idp.domain.errors import StoreUnavailable

DEADLINE = 5.0

# What says "not now" rather than "that statement is wrong".
FAULTS = (
    OSError,
    asyncio.TimeoutError,
    DBConnectionError,
    exceptions.InterfaceError,
    exceptions.InternalClientError,
    exceptions.PostgresConnectionError,
    exceptions.OperatorInterventionError,
    exceptions.InsufficientResourcesError,
    exceptions.PostgresSystemError,
    exceptions.TransactionRollbackError,
    exceptions.LockNotAvailableError,
    exceptions.ReadOnlySQLTransactionError,
    exceptions.InvalidAuthorizationSpecificationError,
    exceptions.InvalidCatalogNameError,
    exceptions.UndefinedTableError,
    exceptions.UndefinedColumnError,
)


@asynccontextmanager
async def answering(deadline: float = DEADLINE) -> AsyncIterator[None]:
    """Every use of Postgres stands inside one of these. *deadline* in seconds, waiting for a connection included."""
    try:
        async with asyncio.timeout(deadline):
            yield
    except FAULTS as fault:
        raise unavailable(fault) from fault
    except OperationalError as fault:  # Tortoise's wrapper around what the driver said
        if isinstance(fault.__cause__, FAULTS):
            raise unavailable(fault.__cause__) from fault
        raise


def unavailable(fault: BaseException) -> StoreUnavailable:
    # The driver's text may hold the host, the role or a row, so only the class is kept.
    return StoreUnavailable(reason=f"postgres: {type(fault).__name__}")


async def keep_session_state(_: Any) -> None:
    """Nothing here sets any, so the pool need not spend a round trip on resetting it."""


def tortoise_config(
    servers: Servers, pool: int, connection_class: type[asyncpg.Connection] = asyncpg.Connection
) -> dict[str, Any]:
    return {
        "connections": {
            "default": {
                "engine": "tortoise.backends.asyncpg",
                "credentials": {
                    **servers.pooled,
                    "minsize": 1,
                    "maxsize": pool,
                    "timeout": CONNECT_TIMEOUT,
                    "command_timeout": DEADLINE,
                    "application_name": "idp",
                    "reset": keep_session_state,
                    "connection_class": connection_class,
                },
            }
        },
        "apps": {"idp": {"models": ["idp.database.tables"], "default_connection": "default"}},
        "use_tz": True,
        "timezone": "UTC",
    }


class Postgres:
    """One process' use of one database: Tortoise's pool of up to *pool* − 1 connections and one for the hot read."""

    def __init__(
        self,
        url: str,
        pool: int,
        *,
        on_use: Callable[[float, bool], None] = lambda _seconds, _failed: None,
        connection_class: type[asyncpg.Connection] = asyncpg.Connection,
    ) -> None:
        """
        *on_use* is told how long each use took, in seconds, and whether it failed. *connection_class* is that of the pool's
        connections.
        """
        self._servers = Servers(url)
        self._on_use = on_use
        self._connection_class = connection_class
        self._pool = max(1, pool - 1)
        self._reader: asyncpg.Connection | None = None

    async def open(self) -> None:
        """Connects to nothing yet: a process may start while its database is down, and is not ready until it answers."""
        config = tortoise_config(self._servers, self._pool, self._connection_class)
        await Tortoise.init(config=config, _enable_global_fallback=True)

    async def close(self) -> None:
        if self._reader is not None:
            self._reader.terminate()
        await Tortoise.close_connections()

    @asynccontextmanager
    async def answering(self, deadline: float = DEADLINE) -> AsyncIterator[None]:
        """For what Tortoise asks by itself: as `answering`, and leaves a server that takes no writes."""
        try:
            async with answering(deadline):
                yield
        except StoreUnavailable as fault:
            if _read_only(fault):
                await self._leave()
            raise

    @asynccontextmanager
    async def connection(self, deadline: float = DEADLINE) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the pool, inside `answering`, to a server that takes writes."""
        with self._observed():
            async with self.answering(deadline), connections.get("default").acquire_connection() as connection:
                _require_writes(connection)
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def read(self, query: str, *arguments: Any) -> Sequence[asyncpg.Record]:
        """
        Rows, on the reader's own connection: one call at a time, by whom batches them.

        Repeated once on a new connection when the old one had died meanwhile, as after a restart of the server.
        """
        with self._observed():
            return await self._read(query, *arguments)

    def pool_state(self) -> dict[str, int]:
        """`size`, `idle` and `max` connections; empty before the first use."""
        pool = getattr(connections.get("default"), "_pool", None)
        if pool is None:
            return {}
        return {"size": pool.get_size(), "idle": pool.get_idle_size(), "max": pool.get_max_size()}

    @contextmanager
    def _observed(self) -> Iterator[None]:
        started, failed = time.perf_counter(), False
        try:
            yield
        except StoreUnavailable:
            failed = True
            raise
        finally:
            self._on_use(time.perf_counter() - started, failed)

    async def _read(self, query: str, *arguments: Any) -> Sequence[asyncpg.Record]:
        async with self.answering():
            for attempt in (1, 2):
                reader = await self._connected()
                try:
                    rows: Sequence[asyncpg.Record] = await reader.fetch(query, *arguments)
                    _require_writes(reader)
                except (
                    OSError,
                    exceptions.InterfaceError,
                    exceptions.PostgresConnectionError,
                    exceptions.OperatorInterventionError,
                    exceptions.ReadOnlySQLTransactionError,
                ):
                    self._drop_reader()
                    if attempt == 2:
                        raise
                except asyncio.CancelledError:
                    self._drop_reader()
                    raise
                else:
                    return rows
        raise AssertionError("unreachable")

    def _drop_reader(self) -> None:
        if self._reader is not None:
            self._reader.terminate()
            self._reader = None

    async def _connected(self) -> asyncpg.Connection:
        if self._reader is None or self._reader.is_closed():
            self._reader = await self._servers.connect(timeout=CONNECT_TIMEOUT, command_timeout=DEADLINE)
        return self._reader

    async def _leave(self) -> None:
        self._drop_reader()
        pool = getattr(connections.get("default"), "_pool", None)
        if pool is not None:
            await pool.expire_connections()


def _require_writes(connection: asyncpg.Connection) -> None:
    if not takes_writes(connection):
        raise exceptions.ReadOnlySQLTransactionError("this server takes no writes")


def _read_only(fault: BaseException | None) -> bool:
    while fault is not None and not isinstance(fault, exceptions.ReadOnlySQLTransactionError):
        fault = fault.__cause__
    return fault is not None
