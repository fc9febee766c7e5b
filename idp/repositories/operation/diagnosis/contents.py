"""What is registered in the database, as far as an examination looks at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from idp.domain.operation.diagnosis import ClientFacts
from idp.repositories.operation.diagnosis.postgres import connected

MOST_CLIENTS = 10_000

CLIENTS = """
SELECT client_id, auth_method, grant_types, scope, application_type, require_pkce,
    redirect_uris, post_logout_redirect_uris, origins
FROM clients WHERE enabled ORDER BY created_at DESC LIMIT $1
"""

ADMINISTRATORS = "SELECT email_norm, password_hash FROM users WHERE 'ADMIN' = ANY(roles) AND status = 'active'"


async def clients(url: str) -> Sequence[ClientFacts]:
    """Those that are enabled, the newest first, at most 10,000."""
    async with connected(url) as connection:
        return [ClientFacts(**row) for row in await connection.fetch(CLIENTS, MOST_CLIENTS)]


async def administrators(url: str) -> Mapping[str, str | None]:
    """The hash of each active one, by address: for a comparison, never to be told."""
    async with connected(url) as connection:
        return {row["email_norm"]: row["password_hash"] for row in await connection.fetch(ADMINISTRATORS)}
