"""Users delete their accounts."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from idp.domain.accounts.accounts import Accounts
from idp.domain.errors import InvalidCredentials
from idp.domain.sessions.sessions import RevokedReason
from idp.services.sessions.sessions import SessionService
from idp.services.sign_in.login import Login


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDeletion:
    login: Login
    accounts: Accounts
    sessions: SessionService

    async def delete(self, user_id: UUID, current_password: str, *, device: str | None = None) -> None:
        """Raises `InvalidCredentials`, `TooManyAttempts`, and `Conflict` for the last active administrator."""
        user = await self.login.confirm(user_id, current_password, device=device)
        ended = await self.accounts.delete(user)
        if ended is None:
            raise InvalidCredentials(reason="the account changed meanwhile")
        await self.sessions.entomb(ended, RevokedReason.USER_DELETED)
