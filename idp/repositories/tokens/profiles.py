"""
Users as clients are told of them, from a standby where there is one.

The primary has been asked already whether the token is good, and its answer says when the user last changed: what a standby
tells of another moment is not used, so a profile is never old, however far behind the standby is.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from uuid import UUID

from idp.domain.accounts.users import User, Users
from idp.repositories.accounts.users import user_of_record
from idp.repositories.reading import Reading

PROFILE = f"SELECT {', '.join(field.name for field in fields(User))} FROM users WHERE id = $1"  # noqa: S608 - of a dataclass


class PostgresProfiles:
    """`idp.domain.accounts.users.Profiles`."""

    def __init__(self, users: Users, reading: Reading) -> None:
        self._users = users
        self._reading = reading

    async def find(self, user_id: UUID, updated_at: datetime | None) -> User | None:
        if updated_at is not None and self._reading.spread:
            for row in await self._reading.fetch(PROFILE, user_id):
                if row["updated_at"] == updated_at:
                    return user_of_record(row)
        return await self._users.find(user_id)
