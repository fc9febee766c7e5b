"""Proving that an address is one's own: the account's, or the one it is to have."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from idp.domain.accounts.accounts import Accounts, Confirmation
from idp.domain.accounts.mail_tokens import digest_of
from idp.domain.accounts.mails import MailKind, MailQueue
from idp.domain.errors import FieldError, ValidationFailed
from idp.services.accounts.password_reset import invalid_link


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailVerification:
    accounts: Accounts
    mails: MailQueue

    async def send(self, user_id: UUID, address: str) -> None:
        """For an address that is verified already no mail goes out."""
        await self.mails.enqueue(MailKind.VERIFY_ADDRESS, address, user_id)

    async def confirm(self, presented: str) -> Confirmation:
        """
        Whether the account's address is verified or changed now.

        Raises `ValidationFailed` naming `token` when it is not live, or its address has become somebody else's.
        """
        digest = digest_of(presented)
        outcome = await self.accounts.confirm_address(digest) if digest else Confirmation.INVALID
        if outcome is Confirmation.INVALID:
            raise invalid_link()
        if outcome is Confirmation.TAKEN:
            raise ValidationFailed([FieldError("token", "This address belongs to another account.")])
        return outcome
