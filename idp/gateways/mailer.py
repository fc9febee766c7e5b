"""
Mail goes out by SMTP, or into files while developing.

A letter becomes a message with a plain and an HTML part. Headers are made by the `email` package's own policy, which
refuses a line break in any of them; a subject is folded into one line before.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import ssl
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from pathlib import Path
from typing import TextIO
from urllib.parse import unquote, urlsplit

import aiosmtplib
import idna
import structlog

from idp.domain.accounts import mail_addresses
from idp.domain.accounts.mail_addresses import DOT_ATOM, DOTTED
from idp.domain.accounts.mails import Letter, MailNotSent
from idp.domain.operation.legible import legible

log = structlog.get_logger("idp.mail")

DEADLINE = 20.0  # seconds for one letter, from the connection to the last reply
PORTS = {"smtp": 587, "smtps": 465}
REFUSED = 500  # an SMTP reply from here on says: never (RFC 5321, section 4.2.1)


def message_of(letter: Letter, sender: str) -> EmailMessage:
    """*sender* is an address or `Name <address>`."""
    name, address = _deliverable_sender(sender)
    recipient = deliverable(letter.recipient)
    message = EmailMessage(policy=SMTP if (recipient + address).isascii() else SMTPUTF8)
    local, _, host = address.rpartition("@")
    message["From"] = Address(name, username=local, domain=host)
    message["To"] = _mailbox(recipient)
    message["Subject"] = " ".join(letter.subject.split())
    message["Date"] = format_datetime(datetime.now(UTC))
    # Another one at each attempt: a mail program that knows both would hide the second, whose link is the one that works.
    message["Message-ID"] = f"<{letter.id}.{secrets.token_hex(4)}@{address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office reply to this
    # Not quoted-printable, which would break a link in two for who reads the file as it is.
    message.set_content(letter.text, cte=_encoding(letter.text))
    message.add_alternative(letter.html, subtype="html", cte=_encoding(letter.html))
    return message


def _deliverable_sender(sender: str) -> tuple[str, str]:
    name, address = mail_addresses.sender(sender)
    return name, deliverable(address)


def deliverable(address: str) -> str:
    """
    As a mail server takes it: the host in its ASCII form (IDNA 2008), quotes where the dots need them.

    Only a name before the @ with other letters than ASCII needs a server that knows SMTPUTF8.
    """
    local, _, host = address.rpartition("@")
    needs_quotes = DOTTED.fullmatch(local) and not DOT_ATOM.fullmatch(local)
    return f'"{local}"@{_ascii_host(host)}' if needs_quotes else f"{local}@{_ascii_host(host)}"


def _ascii_host(host: str) -> str:
    """*host* itself when it is no host name."""
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError:
        return host


def _encoding(text: str) -> str:
    return "7bit" if text.isascii() else "8bit"


def _mailbox(address: str) -> Address | str:
    local, _, host = address.rpartition("@")
    if local.startswith('"') and local.isascii():
        return address  # `Address` would leave the quotes around dots out
    # Given whole, `email` takes other letters than ASCII before the @ for a defect; in parts they are RFC 6532.
    return Address(addr_spec=address) if local.isascii() else Address(username=local.strip('"'), domain=host)


@dataclass(frozen=True, slots=True)
class SmtpServer:
    host: str
    port: int
    tls: bool
    username: str | None
    password: str | None

    @classmethod
    def of(cls, url: str) -> SmtpServer:
        parts = urlsplit(url)
        return cls(
            host=parts.hostname or "localhost",
            port=parts.port or PORTS[parts.scheme],
            tls=parts.scheme == "smtps",
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password or "") if parts.username else None,
        )


class SmtpMailer:
    """
    One connection for each letter: mails are few, and an idle connection is one that the server closes.

    `smtps://` is TLS from the first byte. `smtp://` changes to TLS when the server offers STARTTLS; a user name is never
    sent without. *context* is for a certificate that the system does not know.
    """

    def __init__(self, url: str, sender: str, *, context: ssl.SSLContext | None = None) -> None:
        self._server = SmtpServer.of(url)
        self._sender = sender
        self._context = context or ssl.create_default_context()

    async def send(self, letter: Letter) -> None:
        try:
            async with asyncio.timeout(DEADLINE):
                await self._deliver(message_of(letter, self._sender), deliverable(letter.recipient))
        except (aiosmtplib.SMTPException, MessageError, OSError, ValueError) as fault:
            raise _not_sent(fault) from None

    async def _deliver(self, message: EmailMessage, recipient: str) -> None:
        server = self._server
        smtp = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls,
            # With credentials nothing but TLS will do: a server that does not offer it is not who we take it for.
            start_tls=False if server.tls else (True if server.username else None),
            tls_context=self._context,
            timeout=DEADLINE,
        )
        await smtp.connect()
        try:
            if server.username is not None:
                await smtp.login(server.username, server.password or "")
            await smtp.send_message(message, sender=_deliverable_sender(self._sender)[1], recipients=[recipient])
        finally:
            # Without QUIT: the letter is taken or not by now, and a farewell that hangs would have it sent twice.
            smtp.close()


class FileMailer:
    """For development: `*.eml` files that any mail program opens, and a line on the terminal with the link."""

    def __init__(self, folder: Path, sender: str, *, terminal: TextIO | None = None) -> None:
        self._folder = folder
        self._sender = sender
        self._terminal = terminal if terminal is not None else sys.stderr

    async def send(self, letter: Letter) -> None:
        try:
            await asyncio.to_thread(self._write, letter)
        except (MessageError, OSError, ValueError) as fault:
            raise MailNotSent(type(fault).__name__) from None
        if self._terminal.isatty():
            print(legible(f"Mail to {letter.recipient}: {letter.link or letter.subject}"), file=self._terminal)
        else:
            # A link is a secret, and the name of the file holds the address.
            log.info("mail_written", mail_id=str(letter.id), folder=str(self._folder))

    def _write(self, letter: Letter) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        file = self._folder / f"{stamp}-{re.sub(r'[^A-Za-z0-9@._+-]', '_', letter.recipient)[:100]}.eml"
        unfinished, content = file.with_suffix(".part"), message_of(letter, self._sender).as_bytes()
        with open(unfinished, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            out.write(content)
        unfinished.rename(file)


def _not_sent(fault: Exception) -> MailNotSent:
    """What a server says may repeat the address or more, so only its code is kept."""
    code = fault.code if isinstance(fault, aiosmtplib.SMTPResponseException) else None
    if isinstance(fault, aiosmtplib.SMTPRecipientsRefused):
        code = max((refusal.code for refusal in fault.recipients), default=None)
    # A refused sender, user name or greeting is ours to set right, and the mail waits for that.
    about_the_letter = isinstance(fault, (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPDataError))
    reason = type(fault).__name__ + (f" {code}" if code is not None else "")
    return MailNotSent(reason, refused=about_the_letter and code is not None and code >= REFUSED)
