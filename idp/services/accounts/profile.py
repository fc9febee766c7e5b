"""What users see and change of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from idp.domain.accounts.users import ProfileChange, User, Users
from idp.domain.errors import InvalidToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Raises `InvalidToken` for a user who was deleted while the token lived."""

    users: Users

    async def of(self, user_id: UUID) -> User:
        return _present(await self.users.find(user_id))

    async def change(self, user_id: UUID, change: ProfileChange) -> User:
        return _present(await self.users.change_profile(user_id, change))


def _present(user: User | None) -> User:
    if user is None:
        raise InvalidToken(reason="the user is gone")
    return user
