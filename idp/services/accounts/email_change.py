"""Another address for an account. Nothing changes before somebody who reads the new mailbox has confirmed it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from idp.domain.accounts.mails import MailKind, MailQueue
from idp.domain.accounts.users import canonical_email
from idp.domain.audit.events import EmailChangeRequested, Events
from idp.domain.errors import FieldError, ValidationFailed
from idp.services.sign_in.login import Login


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailChange:
    login: Login
    mails: MailQueue
    events: Events

    async def request(self, user_id: UUID, current_password: str, address: str, *, device: str | None = None) -> None:
        """
        The same for an address that is taken: then its owner gets a mail, and who asked learns nothing.

        Raises `InvalidCredentials`, `TooManyAttempts`, and `ValidationFailed` for the address that the account has.
        """
        user = await self.login.confirm(user_id, current_password, device=device)
        if canonical_email(address) == canonical_email(user.email):
            raise ValidationFailed([FieldError("newEmail", "This is the address of your account already.")])
        await self.events.record(EmailChangeRequested(user_id=user.id))
        await self.mails.enqueue(MailKind.CONFIRM_ADDRESS, address, user.id, epoch=str(user.auth_epoch))
