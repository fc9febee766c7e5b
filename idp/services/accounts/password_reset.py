"""
A forgotten password: a link goes to the mailbox of the account, and who follows it sets another password.

Asking does the same whether the account exists or not: it queues an intent, and the user is looked up where nobody waits
for an answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from idp.domain.accounts.accounts import Accounts
from idp.domain.accounts.mail_tokens import MailTokens, Purpose, digest_of
from idp.domain.accounts.mails import MailKind, MailQueue
from idp.domain.accounts.passwords import Passwords
from idp.domain.accounts.users import User
from idp.domain.errors import FieldError, StoreUnavailable, ValidationFailed
from idp.domain.sessions.sessions import RevokedReason
from idp.domain.sign_in.lockout import SignInFailures
from idp.services.accounts import account_rules
from idp.services.sessions.sessions import SessionService

log = structlog.get_logger("idp.passwords")

PURPOSES = (Purpose.RESET, Purpose.INVITATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordReset:
    accounts: Accounts
    mail_tokens: MailTokens
    mails: MailQueue
    passwords: Passwords
    sessions: SessionService
    failures: SignInFailures

    async def request(self, address: str) -> None:
        await self.mails.enqueue(MailKind.RESET_PASSWORD, address)

    async def reset(self, presented: str, new: str) -> None:
        """
        Every session ends, and nobody is signed in.

        Raises `ValidationFailed` naming `token` when it is not live (no password is hashed for that), and `newPassword`
        when the rules refuse it for this user: then the token may be used again.
        """
        digest = digest_of(presented)
        user = await self.mail_tokens.holder(digest, *PURPOSES) if digest else None
        if digest is None or user is None:
            raise invalid_link()
        account_rules.require_other_than_known(new, user.email, user.name, field="newPassword")
        done = await self.accounts.reset_password(digest, await self.passwords.hash(new))
        if done is None:
            raise invalid_link()
        await self.sessions.entomb(done.ended, RevokedReason.PASSWORD_RESET)
        await self._unlock(done.user)

    async def _unlock(self, user: User) -> None:
        try:
            await self.failures.clear(user)
        except StoreUnavailable as fault:
            # The password is set, and the answer must say so; a lock ends by itself.
            log.warning("lock_not_cleared", reason=str(fault), user_id=str(user.id))


def invalid_link() -> ValidationFailed:
    return ValidationFailed([FieldError("token", "The link is invalid, has expired or was used. Ask for a new one.")])
