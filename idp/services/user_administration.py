"""What an administrator does with accounts, from whichever door: make, find, disable, enable, give roles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from idp.domain.errors import Conflict, FieldError, NotFound, ValidationFailed
from idp.domain.passwords import Passwords
from idp.domain.users import NewUser, Role, User, Users
from idp.services import account_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAdministration:
    users: Users
    passwords: Passwords

    async def create(self, address: str, name: str, password: str, roles: Sequence[Role]) -> User:
        """Raises `ValidationFailed` naming every field that the rules for accounts refuse, `Conflict` for a known address."""
        address, name, password = _checked(address, name, password)
        new = NewUser(
            email=address, name=name, password_hash=await self.passwords.hash(password), roles=_distinct(roles)
        )
        user = await self.users.add(new)
        if user is None:
            raise Conflict("There is an account with this address already.")
        return user

    async def find(self, email_or_id: str) -> User:
        """By any spelling of the address, or by id. Raises `NotFound`."""
        if "@" in email_or_id:
            return _found(await self.users.find_by_email(email_or_id))
        try:
            user_id = UUID(email_or_id)
        except ValueError:
            raise NotFound("There is no such user. Give an e-mail address or an id.") from None
        return _found(await self.users.find(user_id))

    async def disable(self, email_or_id: str) -> User:
        """Ends every session too. Raises `NotFound`, and `Conflict` for the last active administrator."""
        return _found(await self.users.disable((await self.find(email_or_id)).id))

    async def enable(self, email_or_id: str) -> User:
        return _found(await self.users.enable((await self.find(email_or_id)).id))

    async def set_roles(self, email_or_id: str, roles: Sequence[Role]) -> User:
        """The user has these and no others afterwards. Raises as `disable`."""
        return _found(await self.users.set_roles((await self.find(email_or_id)).id, _distinct(roles)))


def _distinct(roles: Sequence[Role]) -> tuple[Role, ...]:
    return tuple(role for role in Role if role in roles)


def _found(user: User | None) -> User:
    if user is None:
        raise NotFound("There is no such user.")
    return user


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
