"""Days of long ago in the audit trail, made by its owner: the server itself can only write today."""

from __future__ import annotations

import random
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any

import asyncpg

DAYS = (date(1900, 1, 1) + timedelta(days=number) for number in random.sample(range(36_000), 36_000))

# As `audit.chain()` does, for a day of the past.
CHAIN = """
WITH RECURSIVE chained (place, digest) AS (
    SELECT 0::bigint, sha256(convert_to($1::date::text, 'UTF8'))
    UNION ALL
    SELECT c.place + 1, sha256(c.digest || convert_to(audit.canonical(e), 'UTF8'))
    FROM chained c JOIN audit.events e ON e.day = $1 AND e.seq = c.place + 1
)
UPDATE audit.events e SET digest = c.digest FROM chained c WHERE e.day = $1 AND e.seq = c.place
"""


@asynccontextmanager
async def without_chain(database: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """In one transaction, so that what others write meanwhile waits and is chained."""
    async with database.acquire() as connection, connection.transaction():
        await connection.execute("ALTER TABLE audit.events DISABLE TRIGGER chain")
        yield connection
        await connection.execute("ALTER TABLE audit.events ENABLE TRIGGER chain")


async def chained_day(database: asyncpg.Pool, rows: int, day: date | None = None, **columns: Any) -> date:
    """A whole day of *rows* events, one of the last century that no test has had unless named."""
    day = day or next(DAYS)
    values = {"name": "test", "severity": "info", "actor": secrets.token_hex(4), "detail": '{"a": 1}'} | columns
    names, places = ", ".join(values), ", ".join(f"${place}" for place in range(3, 3 + len(values)))
    async with without_chain(database) as connection:
        await connection.execute(
            f"""INSERT INTO audit.events (id, at, day, seq, digest, {names})
            SELECT gen_random_uuid(), $1::date + interval '1 hour' + n * interval '1 second', $1, n, '', {places}
            FROM generate_series(1, $2) n""",
            day,
            rows,
            *values.values(),
        )
        await connection.execute(CHAIN, day)
        await connection.execute(
            "INSERT INTO audit.heads (day, seq, digest) SELECT day, seq, digest FROM audit.events WHERE day = $1 AND seq = $2",
            day,
            rows,
        )
    return day
