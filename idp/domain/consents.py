"""What users have allowed clients, so that they are asked once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from idp.domain.sessions import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    user_id: UUID
    client_id: str
    scope: str
    created_at: datetime
    updated_at: datetime

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.scope.split())


class Consents(Protocol):
    async def find(self, user_id: UUID, client_id: str) -> Consent | None: ...

    async def grant(self, user_id: UUID, client_id: str, scopes: Sequence[str]) -> None:
        """In addition to what was allowed before."""

    async def withdraw(self, user_id: UUID, client_id: str) -> Sequence[Session] | None:
        """With the client's sessions of that user, which are given back. None when there is no consent."""

    async def list_of(self, user_id: UUID) -> list[Consent]:
        """Latest first."""
