"""Proving who one is with a password: one use case behind every door (REST, password grant, hosted page)."""

from __future__ import annotations

from dataclasses import dataclass

from idp.domain.errors import InvalidCredentials
from idp.domain.events import DamagedPasswordHash, Events, SignInFailed
from idp.domain.passwords import Passwords
from idp.domain.users import User, Users


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    users: Users
    passwords: Passwords
    events: Events

    async def authenticate(self, address: str, password: str) -> User:
        """
        The user with that address and password.

        Raises `InvalidCredentials` alike, after the same work, for an unknown address, a wrong password, a disabled
        account and a damaged hash; only the audit trail tells them apart. Raises `PasswordsBusy` when too many wait.
        """
        found = await self.users.find_with_password(address)
        user, stored = found or (None, None)
        verdict = await self.passwords.verify(password, stored)
        if user is not None and verdict.matched and user.active:
            if verdict.outdated and stored is not None:
                await self.users.replace_password_hash(user.id, stored, await self.passwords.hash(password))
            return user
        if user is not None and verdict.damaged:
            await self.events.record(DamagedPasswordHash(user_id=user.id))
        cause = _cause(user, matched=verdict.matched, damaged=verdict.damaged)
        await self.events.record(SignInFailed(user_id=user.id if user else None, cause=cause))
        raise InvalidCredentials(reason=cause)


def _cause(user: User | None, *, matched: bool, damaged: bool) -> str:
    if user is None:
        return "unknown_address"
    if damaged:
        return "damaged_hash"
    return "disabled" if matched else "wrong_password"
