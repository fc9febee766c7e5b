"""
What happens to a whole account in one step: it is made, its password or address changes, it goes.

Each step writes the change, the end of sessions and mail tokens that follows from it, the mail that tells of it and its
event, or nothing of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from idp.domain.accounts.users import NewUser, User
from idp.domain.sessions.sessions import Session


@dataclass(frozen=True, slots=True)
class PasswordSet:
    """*ended*: the sessions that this ended."""

    user: User
    ended: Sequence[Session]


class Confirmation(StrEnum):
    """What a token for an address did. TAKEN: the new address belongs to another account meanwhile; nothing changed."""

    VERIFIED = "verified"
    CHANGED = "changed"
    INVALID = "invalid"
    TAKEN = "taken"


class Accounts(Protocol):
    async def register(self, new: NewUser) -> User | None:
        """
        The new user, and a mail to verify the address. None for an address that is taken: its owner gets a mail then.

        Both take the same statements, so that time tells nobody which it was.
        """

    async def change_password(self, user: User, password_hash: str, keep: UUID) -> Sequence[Session] | None:
        """
        Every session ends but *keep*, a client's or a browser's. The ended ones, or None when the account has changed since
        *user* was read.
        """

    async def reset_password(self, digest: str, password_hash: str) -> PasswordSet | None:
        """
        Redeems a mail token: every session ends, every other mail token is void, the address is verified.

        None when the token is not live any more: of many that redeem it at once, one does.
        """

    async def confirm_address(self, digest: str) -> Confirmation:
        """Redeems a mail token: the address is verified, or becomes the account's."""

    async def delete(self, user: User) -> Sequence[Session] | None:
        """
        Everything of the account but its events. Its sessions, or None when it has changed since *user* was read.

        Raises `Conflict` for the last active administrator.
        """
