"""
Emptying the queue of mails: in every process, one round after another, each mail by one of them.

Here an intent becomes a letter. The user is looked up now, and whoever is unknown, disabled or no longer concerned gets
none; a token is minted now, so that a mail which waited for a day still holds one that lives for its full time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from idp.domain.accounts.mail_tokens import LIFETIMES, MailTokens, Purpose
from idp.domain.accounts.mails import Letter, Letters, Mailer, MailKind, MailNotSent, Mails, QueuedMail
from idp.domain.accounts.users import User, Users
from idp.domain.audit.events import Origin, PasswordResetRequested, origin
from idp.domain.errors import StoreUnavailable

log = structlog.get_logger("idp.mail")

AT_ONCE = 8
GRACE = timedelta(seconds=5)
POLL = timedelta(seconds=2)
# By then the request that has queued a mail is answered. Making one takes milliseconds of the same process, more or fewer of
# them as the address is known or not, and the answer would wait for that (1.2 ms, seen on the page that registers).
ANSWERED_IN = timedelta(milliseconds=50)
# Longer than a mailer needs for one letter, or another process would send it too.
LEASE = timedelta(minutes=2)

PURPOSES: Mapping[MailKind, Purpose] = {
    MailKind.VERIFY_ADDRESS: Purpose.VERIFY,
    MailKind.RESET_PASSWORD: Purpose.RESET,
    MailKind.CONFIRM_ADDRESS: Purpose.CHANGE,
    MailKind.INVITATION: Purpose.INVITATION,
}
PAGES: Mapping[Purpose, str] = {
    Purpose.VERIFY: "/verify-email",
    Purpose.CHANGE: "/verify-email",
    Purpose.RESET: "/reset-password",
    Purpose.INVITATION: "/reset-password",
}
# These go to the address of the account as it is stored, not as somebody spelled it who asked for them.
TO_THE_ACCOUNT = frozenset(
    {MailKind.VERIFY_ADDRESS, MailKind.RESET_PASSWORD, MailKind.ADDRESS_KNOWN, MailKind.INVITATION}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    mails: Mails
    tokens: MailTokens
    users: Users
    letters: Letters
    mailer: Mailer
    issuer: str
    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(self) -> None:
        """Until cancelled. What is under way then is finished: sent and not marked, it would be sent again."""
        while True:
            under_way = asyncio.create_task(self.round())
            try:
                tried = await asyncio.shield(under_way)
            except asyncio.CancelledError:
                await asyncio.wait((under_way,), timeout=GRACE.total_seconds())
                raise
            if tried < AT_ONCE:
                await self.mails.arrival(POLL)
                await self.sleep(ANSWERED_IN.total_seconds())

    async def round(self) -> int:
        """Sends what is due, a handful at once; how many were tried."""
        try:
            claimed = await self.mails.claim(AT_ONCE, LEASE)
        except StoreUnavailable as fault:
            log.warning("mails_not_claimed", reason=str(fault))
            return 0
        except Exception:
            log.exception("mails_not_claimed")
            return 0
        # A task each, so that the origin set in one is not that of another.
        await asyncio.gather(*(asyncio.create_task(self._deliver(mail)) for mail in claimed))
        return len(claimed)

    async def _deliver(self, mail: QueuedMail) -> None:
        try:
            await self._tried(mail)
        except StoreUnavailable as fault:
            log.warning("mail_postponed", mail_id=str(mail.id), kind=mail.kind, reason=str(fault))
        except Exception:
            log.exception("mail_failed", mail_id=str(mail.id), kind=mail.kind)  # the lease brings it back

    async def _tried(self, mail: QueuedMail) -> None:
        try:
            origin.set(Origin(address=mail.params.get("address"), request_id=mail.params.get("request_id")))
            sent = await self._sent(mail)
        except MailNotSent as fault:
            await self._not_sent(mail, fault)
        except StoreUnavailable:
            raise
        except Exception as fault:
            # One that cannot be made waits like one that is not taken, and is given up in the end.
            log.exception("mail_failed", mail_id=str(mail.id), kind=mail.kind)
            await self._not_sent(mail, MailNotSent(type(fault).__name__))
        else:
            await (self.mails.sent(mail) if sent else self.mails.forget(mail))

    async def _sent(self, mail: QueuedMail) -> bool:
        """False when nobody is to be told."""
        letter = await self._letter(mail)
        if letter is not None:
            await self.mailer.send(letter)
        return letter is not None

    async def _not_sent(self, mail: QueuedMail, fault: MailNotSent) -> None:
        if fault.refused or mail.given_up(self.now()):
            await self.mails.drop(mail, str(fault))
            return
        wait = mail.retry_in()
        log.warning("mail_postponed", mail_id=str(mail.id), kind=mail.kind, reason=str(fault), seconds=wait.seconds)
        await self.mails.postpone(mail, wait)

    async def _letter(self, mail: QueuedMail) -> Letter | None:
        """None when nobody is to be told (any more)."""
        if mail.kind is MailKind.ACCOUNT_DELETED:
            return self.letters.write(mail, mail.recipient)
        user = await self._concerned(mail)
        if user is None:
            return None
        if mail.kind is MailKind.CONFIRM_ADDRESS and (known := await self.users.find_by_email(mail.recipient)):
            return self._to_owner(mail, known, user)
        recipient = user.email if mail.kind in TO_THE_ACCOUNT else mail.recipient
        if mail.kind not in PURPOSES:
            return self.letters.write(mail, recipient)
        return await self._with_token(mail, PURPOSES[mail.kind], user, recipient)

    async def _concerned(self, mail: QueuedMail) -> User | None:
        by_id = mail.user_id is not None
        user = await (self.users.find(mail.user_id) if mail.user_id else self.users.find_by_email(mail.recipient))
        if user is None or not user.active:
            return None
        if mail.kind is MailKind.VERIFY_ADDRESS and user.email_verified:
            return None
        if by_id and "epoch" in mail.params and mail.params["epoch"] != str(user.auth_epoch):
            return None  # signed out everywhere or given another password since: what was asked before is void
        return user

    def _to_owner(self, mail: QueuedMail, owner: User, asking: User) -> Letter | None:
        """The new address belongs to somebody, who is told; the one who asked learns nothing."""
        if owner.id == asking.id or not owner.active:
            return None
        return self.letters.write(replace(mail, kind=MailKind.ADDRESS_KNOWN), owner.email)

    async def _with_token(self, mail: QueuedMail, purpose: Purpose, user: User, recipient: str) -> Letter:
        first_reset = purpose is Purpose.RESET and mail.attempts == 1
        event = PasswordResetRequested(user_id=user.id) if first_reset else None
        token = await self.tokens.mint(purpose, user, recipient, event)
        if token is None:
            raise MailNotSent("the account changed meanwhile")
        hours, seconds = divmod(int(LIFETIMES[purpose].total_seconds()), 3600)
        return self.letters.write(
            mail,
            recipient,
            token=token.text,
            link=f"{self.issuer}{PAGES[purpose]}?token={token.text}",
            lifetime=f"{hours} hours" if hours else f"{seconds // 60} minutes",
        )
