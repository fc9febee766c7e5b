"""What users do with their accounts, and the mails that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import structlog

from idp.bootstrap.background import Job
from idp.bootstrap.outside import Outside, now
from idp.domain.accounts.mails import Mailer
from idp.gateways.letters import TemplateLetters
from idp.gateways.mailer import FileMailer, SmtpMailer
from idp.gateways.observed_mailer import ObservedMailer
from idp.gateways.templates import templates_folder
from idp.services.accounts.account_deletion import AccountDeletion
from idp.services.accounts.deliveries import Deliveries
from idp.services.accounts.email_change import EmailChange
from idp.services.accounts.email_verification import EmailVerification
from idp.services.accounts.password_change import PasswordChange
from idp.services.accounts.password_reset import PasswordReset
from idp.services.sessions.own_sessions import OwnSessions
from idp.services.sessions.sessions import SessionService
from idp.services.sign_in.login import Login
from idp.settings import Settings

log = structlog.get_logger("idp.mail")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountServices:
    password_change: PasswordChange
    password_reset: PasswordReset
    email_verification: EmailVerification
    email_change: EmailChange
    account_deletion: AccountDeletion
    own_sessions: OwnSessions


def account_services(outside: Outside, login: Login, sessions: SessionService) -> AccountServices:
    accounts, mails, passwords = outside.accounts, outside.mails, outside.passwords
    return AccountServices(
        password_change=PasswordChange(login=login, accounts=accounts, passwords=passwords, sessions=sessions),
        password_reset=PasswordReset(
            accounts=accounts,
            mail_tokens=outside.mail_tokens,
            mails=mails,
            passwords=passwords,
            sessions=sessions,
            failures=outside.failures,
        ),
        email_verification=EmailVerification(accounts=accounts, mails=mails),
        email_change=EmailChange(login=login, mails=mails, events=outside.trail),
        account_deletion=AccountDeletion(login=login, accounts=accounts, sessions=sessions),
        own_sessions=OwnSessions(records=outside.sessions, clients=outside.clients, sessions=sessions),
    )


@lru_cache(maxsize=2)
def letters_of(issuer: str) -> TemplateLetters:
    """Read and compiled once: a process that forks does it for all that come of it."""
    return TemplateLetters(templates_folder() / "mail", issuer)


def mail_jobs(settings: Settings, outside: Outside) -> list[Job]:
    """None where no mail goes out: then mails wait in the queue for a process that has a mail server."""
    mailer = _mailer(settings)
    if mailer is None:
        log.warning("mails_wait", reason="no IDP_SMTP_URL")
        return []
    deliveries = Deliveries(
        mails=outside.mails,
        tokens=outside.mail_tokens,
        users=outside.users,
        letters=letters_of(settings.issuer),
        mailer=ObservedMailer(mailer, outside.metrics.mail),
        issuer=settings.issuer,
        now=now,
    )
    return [deliveries.run]


def _mailer(settings: Settings) -> Mailer | None:
    if settings.smtp_url is not None:
        return SmtpMailer(settings.smtp_url, settings.mail_from)
    if settings.env == "production":
        return None
    return FileMailer(settings.data_dir / "mail", settings.mail_from)
