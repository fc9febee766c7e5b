"""Making an account with an address and a password."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from idp.domain.accounts.accounts import Accounts
from idp.domain.accounts.passwords import Passwords
from idp.domain.accounts.users import NewUser, Role, User, Users, UserStatus
from idp.services.accounts import account_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    accounts: Accounts
    users: Users
    passwords: Passwords
    now: Callable[[], datetime]

    async def register(self, address: str, password: str, name: str) -> User:
        """
        The new user. For an address that has an account the answer looks the same, and nothing is made or changed; the
        mails differ, which only the owner of the address sees.

        The work is the same too: the password is hashed before the address is looked at. Raises `ValidationFailed` for
        a password that is made of the address or the name.
        """
        account_rules.require_other_than_known(password, address, name, field="password")
        password_hash = await self.passwords.hash(password)
        imaginary = self._like_new(address, name)
        return await self.accounts.register(NewUser(email=address, name=name, password_hash=password_hash)) or imaginary

    def _like_new(self, address: str, name: str) -> User:
        now = self.now()
        # The version and variant bits of a random UUID, so that this id has the look of every other.
        imaginary = UUID(bytes=secrets.token_bytes(16), version=4)
        return User(
            id=imaginary,
            email=address,
            name=name,
            roles=(Role.USER,),
            status=UserStatus.ACTIVE,
            email_verified=False,
            auth_epoch=0,
            created_at=now,
            updated_at=now,
        )

    async def first_administrator(self, address: str, password: str) -> User | None:
        """Made only while there is no administrator; of many processes at once, one makes it. None otherwise."""
        new = NewUser(
            email=address,
            name="Administrator",
            password_hash=await self.passwords.hash(password),
            roles=(Role.ADMIN, Role.USER),
            email_verified=True,
        )
        return await self.users.add_first_administrator(new)
