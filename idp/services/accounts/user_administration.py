"""
What an administrator does with accounts, from whichever door: make, invite, find, change, delete, have a password reset.

An administrator never gives or sees a password of somebody else. Only the command line, whose user owns the machine, may
make an account that has one already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from idp.domain.accounts.mails import MailKind, MailQueue
from idp.domain.accounts.passwords import Passwords
from idp.domain.accounts.user_records import UserChange, UserFilter, UserRecord, UserRecords
from idp.domain.accounts.users import NewUser, Role, User, Users, UserStatus
from idp.domain.audit.events import Events, PasswordResetTriggered
from idp.domain.errors import Conflict, FieldError, NotFound, ValidationFailed
from idp.domain.operation.pages import Page, Place
from idp.domain.sessions.sessions import RevokedReason, Sessions
from idp.domain.sign_in.lockout import SignInFailures
from idp.services.accounts import account_rules
from idp.services.sessions.sessions import SessionService

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAdministration:
    users: Users
    records: UserRecords
    passwords: Passwords
    sessions: SessionService
    session_states: Sessions
    mails: MailQueue
    events: Events
    failures: SignInFailures

    async def create(self, address: str, name: str, password: str, roles: Sequence[Role]) -> User:
        """Raises `ValidationFailed` naming every field that the rules for accounts refuse, `Conflict` for a known address."""
        address, name, password = _checked(address, name, password)
        new = NewUser(
            email=address, name=name, password_hash=await self.passwords.hash(password), roles=_distinct(roles)
        )
        return await self._add(new)

    async def invite(
        self, address: str, name: str, roles: Sequence[Role], status: UserStatus = UserStatus.ACTIVE
    ) -> User:
        """
        An account without a password, and a mail with a link to set one. Raises `Conflict` for a known address.

        *address* and *name* have passed the rules for accounts.
        """
        return await self._add(
            NewUser(email=address, name=name, password_hash=None, roles=_distinct(roles), status=status)
        )

    async def find(self, email_or_id: str) -> User:
        """By any spelling of the address, or by id. Raises `NotFound`."""
        if "@" in email_or_id:
            return _found(await self.users.find_by_email(email_or_id))
        try:
            user_id = UUID(email_or_id)
        except ValueError:
            raise NotFound("There is no such user. Give an e-mail address or an id.") from None
        return _found(await self.users.find(user_id))

    async def record(self, user_id: UUID) -> UserRecord:
        """Raises `NotFound`."""
        return _found(await self.records.find(user_id))

    async def page(self, wanted: UserFilter, limit: int, after: Place | None = None) -> Page[UserRecord]:
        return await self.records.page(wanted, limit, after)

    async def count(self, wanted: UserFilter) -> int:
        return await self.records.count(wanted)

    async def change(self, user_id: UUID, wanted: UserChange, versions: frozenset[str] | None = None) -> UserRecord:
        """
        Disabling ends every session. *versions*: only while the user is as one of them says.

        Raises `NotFound`, `PreconditionFailed`, and `Conflict` for the last active administrator or an address in use.
        """
        _found(await self.records.change(user_id, wanted, versions))
        return await self.record(user_id)

    async def disable(self, email_or_id: str) -> User:
        """Ends every session too. Raises `NotFound`, and `Conflict` for the last active administrator."""
        return await self._change(email_or_id, UserChange(status=UserStatus.DISABLED))

    async def enable(self, email_or_id: str) -> User:
        return await self._change(email_or_id, UserChange(status=UserStatus.ACTIVE))

    async def unlock(self, email_or_id: str) -> User:
        """Failed sign-ins are forgotten, of every device too. Raises `NotFound`; one who is not locked is no error."""
        user = await self.find(email_or_id)
        await self.failures.clear(user)
        return user

    async def set_roles(self, email_or_id: str, roles: Sequence[Role]) -> User:
        """The user has these and no others afterwards. Raises as `disable`."""
        return await self._change(email_or_id, UserChange(roles=_distinct(roles)))

    async def delete(self, user_id: UUID) -> None:
        """With everything of the user but the audit trail. Raises `NotFound`, `Conflict` for the last active administrator."""
        ended = _found(await self.records.remove(user_id))
        await self.sessions.entomb(ended, RevokedReason.ADMIN)

    async def send_password_reset(self, user_id: UUID) -> None:
        """A mail with a link to set a password. Raises `NotFound`, `Conflict` for a disabled user, who could not use it."""
        user = _found(await self.users.find(user_id))
        if not user.active:
            raise Conflict("This user is disabled.")
        await self.events.record(PasswordResetTriggered(user_id=user.id))
        await self.mails.enqueue(MailKind.RESET_PASSWORD, user.email, user.id)

    async def end_sessions(self, user_id: UUID) -> int:
        """Raises `NotFound`. How many ended."""
        user = _found(await self.users.find(user_id))
        return await self.sessions.end_all(user.id, RevokedReason.ADMIN)

    async def end_session(self, user_id: UUID, session_id: UUID) -> None:
        """Raises `NotFound`, also for a session of another user, or one that is over."""
        state = await self.session_states.find(session_id)
        if state is None or state.session.user_id != user_id:
            raise NotFound("This user has no such session.")
        if not await self.sessions.revoke(state.session, RevokedReason.ADMIN):
            raise NotFound("This session has ended already.")

    async def _add(self, new: NewUser) -> User:
        user = await self.records.add(new)
        if user is None:
            raise Conflict("There is an account with this address already.")
        return user

    async def _change(self, email_or_id: str, wanted: UserChange) -> User:
        return _found(await self.records.change((await self.find(email_or_id)).id, wanted))


def _distinct(roles: Sequence[Role]) -> tuple[Role, ...]:
    return tuple(role for role in Role if role in roles)


def _found(found: Found | None) -> Found:
    if found is None:
        raise NotFound("There is no such user.")
    return found


def _checked(address: str, name: str, password: str) -> tuple[str, str, str]:
    rules: tuple[tuple[str, str, Callable[[str], str]], ...] = (
        ("email", address, account_rules.email),
        ("name", name, account_rules.name),
        ("password", password, account_rules.new_password),
    )
    good, faults = [], []
    for field, given, rule in rules:
        try:
            good.append(rule(given))
        except ValueError as fault:
            faults.append(FieldError(field, str(fault)))
    if faults:
        raise ValidationFailed(faults)
    return good[0], good[1], good[2]
