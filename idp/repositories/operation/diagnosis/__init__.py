"""
The facts of the stores that an examination rests on (`idp.domain.operation.diagnosis.Stores`), on connections of their own.

Each look has a deadline, and whatever a store says other than an answer leaves here as `StoreUnavailable`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from idp.domain.errors import StoreUnavailable
from idp.domain.operation.diagnosis import (
    AdministratorFacts,
    CacheFacts,
    ClientFacts,
    DatabaseFacts,
    ReplicaFacts,
    Stores,
    TrailFacts,
)
from idp.repositories.operation.diagnosis import contents, postgres, redis

Verification = Callable[[str | None], Awaitable[bool | None]]


class StoreExamination(Stores):
    """
    *replica_urls* may be empty. *built_in* is the address that the first administrator gets where none is configured,
    *first* the configured one; *still_opens* says of its hash whether the configured password opens it. *trail* looks at
    the audit trail.
    """

    def __init__(
        self,
        *,
        database_url: str,
        migration_url: str,
        replica_urls: Sequence[str],
        redis_url: str,
        built_in: str,
        first: str,
        still_opens: Verification,
        trail: Callable[[], Awaitable[TrailFacts]],
    ) -> None:
        self._database_url = database_url
        self._migration_url = migration_url
        self._replica_urls = replica_urls
        self._redis_url = redis_url
        self._built_in = built_in
        self._first = first
        self._still_opens = still_opens
        self._trail = trail

    async def database(self) -> DatabaseFacts:
        return await postgres.facts(self._database_url)

    async def migrating_role(self) -> str:
        return await postgres.role(self._migration_url)

    async def replicas(self) -> Sequence[ReplicaFacts]:
        return [await _told(url) for url in self._replica_urls]

    async def clients(self) -> Sequence[ClientFacts]:
        return await contents.clients(self._database_url)

    async def administrators(self) -> AdministratorFacts:
        hashes = await contents.administrators(self._database_url)
        return AdministratorFacts(
            active=len(hashes),
            built_in_address=self._built_in in hashes,
            bootstrap_password=await self._still_opens(hashes.get(self._first)),
        )

    async def trail(self) -> TrailFacts:
        return await self._trail()

    async def cache(self) -> CacheFacts:
        return await redis.facts(self._redis_url)


async def _told(url: str) -> ReplicaFacts:
    try:
        return await postgres.replica(url)
    except StoreUnavailable as fault:
        return ReplicaFacts(fault=str(fault))
