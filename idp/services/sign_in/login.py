"""Proving who one is with a password: one use case behind every door (REST, password grant, hosted page)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from idp.domain.accounts.mails import MailKind, MailQueue
from idp.domain.accounts.passwords import Passwords, Verdict
from idp.domain.accounts.users import User, Users
from idp.domain.audit.events import DamagedPasswordHash, Events, SignInFailed, origin
from idp.domain.errors import EmailNotVerified, InvalidCredentials, PasswordsBusy
from idp.domain.sign_in.lockout import Counter
from idp.domain.sign_in.user_agents import device_label
from idp.services.sign_in.devices import Device, Devices
from idp.services.sign_in.lockout import Lockout


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """*verified_email_required*: no client gets tokens for a user whose address is not verified."""

    users: Users
    passwords: Passwords
    lockout: Lockout
    devices: Devices
    events: Events
    mails: MailQueue
    verified_email_required: bool

    async def authenticate(self, address: str, password: str, *, device: str | None = None) -> User:
        """
        The user with that address and password. *device*: the token of the device, if it presents one.

        Raises `InvalidCredentials` alike, after the same work, for an unknown address, a wrong password, a disabled
        account and a damaged hash; only the audit trail tells them apart. `TooManyAttempts` while nobody may try, without
        a look at the password; `PasswordsBusy` when too many wait.
        """
        found = await self.users.find_with_password(address)
        user, stored = found or (None, None)
        async with self.lockout.attempt(self._counter(address, user, device)) as attempt:
            verdict = await self.passwords.verify(password, stored)
            if user is None or not verdict.matched or not user.active:
                await attempt.failed(await self._failure(user, verdict))
                raise InvalidCredentials(reason=_cause(user, verdict))
            await attempt.succeeded()
        if verdict.outdated and stored is not None:
            await self._rehash(user, stored, password)
        return user

    async def confirm(self, user_id: UUID, password: str, *, device: str | None = None) -> User:
        """
        That who is signed in as that user knows the password too: before what cannot be undone.

        Counted with the sign-ins. Raises as `authenticate`.
        """
        user = await self.users.find(user_id)
        if user is None:
            raise InvalidCredentials(reason="the account is gone")
        return await self.authenticate(user.email, password, device=device)

    async def admit(self, user: User) -> None:
        """
        Lets *user*, who has just proved the password, go on to a client. The hosted page has a step of its own for that.

        Raises `EmailNotVerified`, and has the mail with the link sent again: who cannot sign in cannot ask for it.
        """
        try:
            self.require_verified(email_verified=user.email_verified)
        except EmailNotVerified:
            await self.mails.enqueue(MailKind.VERIFY_ADDRESS, user.email, user.id)
            raise

    def require_verified(self, *, email_verified: bool) -> None:
        """For who goes on with a session or a code of before. Raises `EmailNotVerified`."""
        if self.verified_email_required and not email_verified:
            raise EmailNotVerified(reason="the address is not verified")

    def remember(self, user: User, device: str | None) -> Device:
        """The device where *user* has just proved the password, to be recognised the next time. *device* as it was presented."""
        return self.devices.known_from_now_on(device, user)

    async def _rehash(self, user: User, stored: str, password: str) -> None:
        """Who has proved the password is signed in whether or not there is time for another hash: the next sign-in makes it."""
        with suppress(PasswordsBusy):
            await self.users.replace_password_hash(user.id, stored, await self.passwords.hash(password))

    def _counter(self, address: str, user: User | None, device: str | None) -> Counter:
        if user is None:
            return Counter(address)
        known = self.devices.recognised(device, user)
        return Counter(user.email, user.id, known.id if known else None)

    async def _failure(self, user: User | None, verdict: Verdict) -> SignInFailed:
        if user is not None and verdict.damaged:
            await self.events.record(DamagedPasswordHash(user_id=user.id))
        device = device_label(origin.get().user_agent)
        return SignInFailed(user_id=user.id if user else None, cause=_cause(user, verdict), device=device)


def _cause(user: User | None, verdict: Verdict) -> str:
    if user is None:
        return "unknown_address"
    if verdict.damaged:
        return "damaged_hash"
    return "disabled" if verdict.matched else "wrong_password"
