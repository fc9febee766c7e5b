"""Making an account with an address and a password."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from idp.domain.events import Events, RegistrationOfKnownAddress
from idp.domain.passwords import Passwords
from idp.domain.users import NewUser, Role, User, Users, UserStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    users: Users
    passwords: Passwords
    events: Events
    now: Callable[[], datetime]

    async def register(self, address: str, password: str, name: str) -> User:
        """
        The new user. For an address that has an account the answer looks the same, and nothing is made or changed.

        The work is the same too: the password is hashed before the address is looked at.
        """
        password_hash = await self.passwords.hash(password)
        user = await self.users.add(NewUser(email=address, name=name, password_hash=password_hash))
        if user is not None:
            return user
        known = await self.users.find_by_email(address)
        await self.events.record(RegistrationOfKnownAddress(user_id=known.id if known else None))
        return self._like_new(address, name)

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
