"""A signed-in user sets another password, and proves the present one first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from idp.domain.accounts.accounts import Accounts
from idp.domain.accounts.passwords import Passwords
from idp.domain.errors import InvalidCredentials
from idp.domain.sessions.sessions import RevokedReason
from idp.services.accounts import account_rules
from idp.services.sessions.sessions import SessionService
from idp.services.sign_in.devices import Device
from idp.services.sign_in.login import Login


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChange:
    login: Login
    accounts: Accounts
    passwords: Passwords
    sessions: SessionService

    async def change(
        self, user_id: UUID, session_id: UUID, current: str, new: str, *, device: str | None = None
    ) -> Device:
        """
        Every session ends but *session_id*, and every device is forgotten but the one given back. Of two changes at once, one
        succeeds. *device*: as for `Login.confirm`.

        Raises `InvalidCredentials` for a wrong *current*, `TooManyAttempts`, and `ValidationFailed` for a *new* that the
        rules refuse for this user.
        """
        user = await self.login.confirm(user_id, current, device=device)
        account_rules.require_other_than_known(new, user.email, user.name, field="newPassword")
        ended = await self.accounts.change_password(user, await self.passwords.hash(new), keep=session_id)
        if ended is None:
            raise InvalidCredentials(reason="the account changed meanwhile")
        await self.sessions.entomb(ended, RevokedReason.PASSWORD_CHANGED)
        return self.login.remember(replace(user, auth_epoch=user.auth_epoch + 1), device)
