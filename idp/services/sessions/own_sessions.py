"""Where a user is signed in, and ending one of those sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from idp.domain.clients.clients import Clients
from idp.domain.errors import NotFound
from idp.domain.sessions.sessions import RevokedReason, Session, Sessions
from idp.services.sessions.sessions import SessionService


@dataclass(frozen=True, slots=True)
class ShownSession:
    """*client_name* is the client's id when the client is gone."""

    session: Session
    client_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSessions:
    records: Sessions
    clients: Clients
    sessions: SessionService

    async def list_of(self, user_id: UUID) -> Sequence[ShownSession]:
        """Live ones, newest first."""
        found = await self.records.list_of(user_id)
        names = {client_id: await self._name(client_id) for client_id in {session.client_id for session in found}}
        return [ShownSession(session, names[session.client_id]) for session in found]

    async def end(self, user_id: UUID, session_id: UUID) -> None:
        """Raises `NotFound`, for somebody else's session too."""
        state = await self.records.find(session_id)
        if state is None or state.session.user_id != user_id or state.session.revoked_at is not None:
            raise NotFound
        await self.sessions.revoke(state.session, RevokedReason.ENDED_BY_USER)

    async def _name(self, client_id: str) -> str:
        client = await self.clients.find(client_id)
        return client.name if client else client_id
