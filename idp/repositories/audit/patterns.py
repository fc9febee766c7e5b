"""Suspicious patterns, found by SQL among the events of a few minutes."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from idp.database.postgres import Postgres
from idp.domain.audit.events import (
    Event,
    ManyAccountsFromOneAddress,
    ManyAddressesForOneAccount,
    Occurrence,
    Origin,
    PrivilegeEscalationSuspected,
)
from idp.domain.audit.patterns import Thresholds
from idp.repositories.audit.events import AuditTrail
from idp.repositories.audit.trail import TURN

# Each leaves out those whom an event of the same window tells of already.
BY_ADDRESS = """
SELECT address, count(DISTINCT detail ->> 'identifier') AS identifiers, count(*) AS failures
FROM audit.events f WHERE name = 'sign_in_failed' AND at > $1 AND at <= $2 AND address IS NOT NULL
AND NOT EXISTS (
    SELECT FROM audit.events told
    WHERE told.name = 'many_accounts_from_one_address' AND told.at > $1 AND told.address = f.address
) GROUP BY address HAVING count(DISTINCT detail ->> 'identifier') >= $3
"""

BY_IDENTIFIER = """
SELECT detail ->> 'identifier' AS identifier, min(user_id::text)::uuid AS user_id,
    count(DISTINCT address) AS addresses, count(*) AS failures
FROM audit.events f WHERE name = 'sign_in_failed' AND at > $1 AND at <= $2 AND detail ->> 'identifier' IS NOT NULL
AND NOT EXISTS (
    SELECT FROM audit.events told
    WHERE told.name = 'many_addresses_for_one_account' AND told.at > $1
    AND told.detail ->> 'identifier' = f.detail ->> 'identifier'
) GROUP BY detail ->> 'identifier' HAVING count(DISTINCT address) >= $3
"""

BY_USER = """
SELECT user_id, count(*) AS attempts, max(address) AS address
FROM audit.events f WHERE name IN ('access_denied', 'stale_role_used') AND at > $1 AND at <= $2 AND user_id IS NOT NULL
AND NOT EXISTS (
    SELECT FROM audit.events told
    WHERE told.name = 'privilege_escalation_suspected' AND told.at > $1 AND told.user_id = f.user_id
) GROUP BY user_id HAVING count(*) >= $3
"""


class PostgresPatterns:
    """`idp.domain.audit.patterns.SuspiciousPatterns`."""

    def __init__(self, postgres: Postgres, trail: AuditTrail) -> None:
        self._postgres = postgres
        self._trail = trail

    async def record_new(self, thresholds: Thresholds, now: datetime) -> int:
        async with self._postgres.transaction() as connection:
            if not await connection.fetchval(TURN, "patterns"):
                return 0
            found = await _found(connection, thresholds, now)
            await self._trail.write_all(connection, found)
        self._trail.announce_all(found)
        return len(found)


async def _found(connection: asyncpg.Connection, thresholds: Thresholds, now: datetime) -> list[Occurrence]:
    window = now - thresholds.window, now
    by_address = await connection.fetch(BY_ADDRESS, *window, thresholds.identifiers)
    by_identifier = await connection.fetch(BY_IDENTIFIER, *window, thresholds.addresses)
    by_user = await connection.fetch(BY_USER, *window, thresholds.refusals)
    events: list[tuple[Event, str | None]] = [
        *((_from(row, ManyAccountsFromOneAddress), row["address"]) for row in by_address),
        *((_from(row, ManyAddressesForOneAccount), None) for row in by_identifier),
        *((_from(row, PrivilegeEscalationSuspected), row["address"]) for row in by_user),
    ]
    return [Occurrence(event, now, Origin(address=address)) for event, address in events]


def _from(row: asyncpg.Record, kind: type[Event]) -> Event:
    """The columns that are not members of *kind* say where it came from."""
    return kind(**{name: value for name, value in row.items() if name in kind.__dataclass_fields__})
