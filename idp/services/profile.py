"""What users see and change of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from idp.domain.errors import InvalidToken
from idp.domain.users import User, Users


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Raises `InvalidToken` for a user who was deleted while the token lived."""

    users: Users

    async def of(self, user_id: UUID) -> User:
        return _present(await self.users.find(user_id))

    async def rename(self, user_id: UUID, name: str) -> User:
        return _present(await self.users.rename(user_id, name))


def _present(user: User | None) -> User:
    if user is None:
        raise InvalidToken(reason="the user is gone")
    return user
