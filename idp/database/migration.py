"""
Migrations under a lock.

Tortoise has none: of two nodes that migrate at once one fails, and a data migration was seen applied twice. So whoever
migrates holds an advisory lock on a connection of its own (direct to the server: not through a pooler in transaction
mode), the others wait and find nothing left to do.

A change of a table waits for everyone who uses it, and everyone who comes after waits for the change: behind one long
transaction all traffic would stand still. So a step waits for a lock for two seconds at most, lets those behind it go on,
and tries again.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import asyncpg
import structlog
from asyncpg import exceptions
from tortoise.connection import get_connection
from tortoise.context import TortoiseContext
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget

from idp.database.postgres import answering, tortoise_config
from idp.database.servers import Servers

log = structlog.get_logger("idp.migration")

APP = "idp"
LOCK = 0x6964702D6D696772  # "idp-migr"
LOCK_WAIT = "120s"
STEP_LOCK_WAIT = "2s"
STEP_ATTEMPTS = 30
STEP_PAUSE = 2.0

# The runtime role reads and writes rows, nothing else; the audit trail it may only add to, read, and let grow no older
# than the owner's policy says.
GRANTS = """
GRANT USAGE ON SCHEMA public, audit TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON users, clients, sessions, mails, mail_tokens, sign_in_failures TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON browser_sessions, consents, revoked_tokens, logout_notices TO {role};
REVOKE ALL ON ALL TABLES IN SCHEMA audit FROM {role};
GRANT SELECT ON ALL TABLES IN SCHEMA audit TO {role};
GRANT INSERT ON audit.events TO {role};
GRANT EXECUTE ON FUNCTION audit.prune(), audit.canonical(audit.events) TO {role};
REVOKE ALL ON tortoise_migrations FROM {role};
GRANT SELECT ON tortoise_migrations TO {role};
"""

RETENTION = """
INSERT INTO audit.policy (id, retention_seconds) VALUES (1, $1)
ON CONFLICT (id) DO UPDATE SET retention_seconds = excluded.retention_seconds
"""


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    applied: bool


def package() -> str:
    """`idp.migrations` in an installed wheel; in a checkout the folder `migrations/` beside `idp/`."""
    if find_spec("idp.migrations") is not None:
        return "idp.migrations"
    root = str(Path(__file__).parents[2])
    if root not in sys.path:
        sys.path.insert(0, root)
    return "migrations"


def known_steps() -> list[str]:
    """The names of the migrations on disk, in order."""
    spec = find_spec(package())
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return sorted(module.name for module in iter_modules(folders) if not module.name.startswith("_"))


class NewerSchema(Exception):
    """The database has steps that this release does not know."""


async def migrate(owner_url: str, runtime_role: str | None, retention: timedelta | None = None) -> list[str]:
    """
    Brings the database to the newest step, grants *runtime_role* its rights and sets how long audit events are kept, which
    that role cannot. None leaves that as it is. The names of the steps applied now.

    A database that a newer release has brought further stays as it is. Raises `LockNotAvailableError` of the driver when
    somebody uses a table for longer than a minute or two without a pause.
    """
    async with _locked(owner_url) as (executor, connection):
        before = await _applied(connection)
        await _patiently(executor)
        if runtime_role is not None and runtime_role != await connection.fetchval("SELECT session_user"):
            quoted = await connection.fetchval("SELECT quote_ident($1)", runtime_role)
            await connection.execute(GRANTS.format(role=quoted))
        if retention is not None:
            await connection.execute(RETENTION, int(retention.total_seconds()))
        return [step for step in await _applied(connection) if step not in before]


async def downgrade(owner_url: str, to: str | None) -> None:
    """Back to step *to*, which stays; None: to the empty database. Raises `NewerSchema`."""
    async with _locked(owner_url) as (executor, connection):
        if newer := set(await _applied(connection)) - set(known_steps()):
            raise NewerSchema(f"{', '.join(sorted(newer))} came with a newer release: only that one can undo it")
        await executor().migrate([MigrationTarget(APP, to or "__first__")], direction="backward")


async def status(url: str) -> list[Step]:
    """Every step on disk. Raises `StoreUnavailable`; a database never migrated has none applied."""
    async with answering():
        connection = await Servers(url).connect(timeout=5)
        try:
            applied = await _applied(connection)
        finally:
            await connection.close()
    return [Step(name, name in applied) for name in known_steps()]


async def missing(connection: asyncpg.Connection) -> list[str]:
    """Steps on disk that this database lacks."""
    applied = await _applied(connection)
    return [name for name in known_steps() if name not in applied]


async def _applied(connection: asyncpg.Connection) -> list[str]:
    # Tortoise's own reader takes every failure, a missing right included, for "none applied".
    if await connection.fetchval("SELECT to_regclass('tortoise_migrations')") is None:
        return []
    rows = await connection.fetch("SELECT name FROM tortoise_migrations WHERE app = $1 ORDER BY name", APP)
    return [row["name"] for row in rows]


async def _patiently(executor: Callable[[], MigrationExecutor]) -> None:
    """Steps that are done stay done, so a new attempt goes on where the last one had to give way."""
    for attempt in range(1, STEP_ATTEMPTS + 1):
        try:
            await executor().migrate()
        except (exceptions.LockNotAvailableError, exceptions.DeadlockDetectedError) as fault:
            if attempt == STEP_ATTEMPTS:
                raise
            log.warning("migration_gave_way", attempt=attempt, of=STEP_ATTEMPTS, reason=type(fault).__name__)
            await asyncio.sleep(STEP_PAUSE)
        else:
            return


@asynccontextmanager
async def _locked(owner_url: str) -> AsyncIterator[tuple[Callable[[], MigrationExecutor], asyncpg.Connection]]:
    servers = Servers(owner_url)
    lock = await servers.connect(timeout=10)
    try:
        await lock.execute(f"SET lock_timeout = '{LOCK_WAIT}'")
        await lock.execute("SELECT pg_advisory_lock($1)", LOCK)
        async with TortoiseContext() as context:
            config: dict[str, Any] = tortoise_config(servers, 2)
            config["connections"]["default"]["credentials"] |= {
                "command_timeout": None,  # a migration takes what it takes
                "server_settings": {"lock_timeout": STEP_LOCK_WAIT},
            }
            config["apps"][APP]["migrations"] = package()
            await context.init(config=config)
            yield lambda: MigrationExecutor(get_connection("default"), {APP: config["apps"][APP]}), lock
    finally:
        await lock.close()
