"""Letters meet a real SMTP server: with and without TLS and a password, one that refuses, one that is gone."""

from __future__ import annotations

import asyncio
import ssl
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiosmtpd.smtp import AuthResult
from certificates import contexts, self_signed
from inbox import Inbox, smtp_server

from idp.domain.accounts.mails import Letter, MailNotSent
from idp.gateways import mailer
from idp.gateways.mailer import FileMailer, SmtpMailer, message_of

SENDER = "Token server <no-reply@id.example>"


def letter(**changed: Any) -> Letter:
    given = {"recipient": "ada@example.com", "subject": "Hello", "text": "Read this.\n", "html": "<p>Read this.</p>"}
    return Letter(id=uuid4(), **given | changed)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's context, with a certificate that it signed itself, and that of a client who trusts it."""
    return contexts(self_signed(tmp_path_factory.mktemp("certificate") / "both.pem", "127.0.0.1"))


def accepts(user: bytes, password: bytes) -> Any:
    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (user, password), handled=False)

    return authenticate


async def test_a_letter_arrives_as_text_and_html() -> None:
    inbox = Inbox()
    async with smtp_server(inbox) as port:
        await SmtpMailer(f"smtp://127.0.0.1:{port}", SENDER).send(letter())

    [message] = inbox.messages
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert (message["From"], message["To"], message["Subject"]) == (SENDER, "ada@example.com", "Hello")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime.tzinfo is not None
    assert message["Message-ID"].endswith("@id.example>")
    assert (inbox.envelopes[0].mail_from, inbox.envelopes[0].rcpt_tos) == ("no-reply@id.example", ["ada@example.com"])


async def test_starttls_is_used_where_it_is_offered(certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    inbox, (server, client) = Inbox(), certificate
    async with smtp_server(inbox, tls_context=server) as port:
        await SmtpMailer(f"smtp://127.0.0.1:{port}", SENDER, context=client).send(letter())

    assert inbox.tls == [True]


async def test_smtps_is_tls_from_the_first_byte(certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    inbox, (server, client) = Inbox(), certificate
    async with smtp_server(inbox, tls=server) as port:
        await SmtpMailer(f"smtps://127.0.0.1:{port}", SENDER, context=client).send(letter())

    assert len(inbox.envelopes) == 1


async def test_a_certificate_that_nobody_knows_is_refused(certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    inbox, (server, _) = Inbox(), certificate
    async with smtp_server(inbox, tls_context=server) as port:
        with pytest.raises(MailNotSent) as refused:
            await SmtpMailer(f"smtp://127.0.0.1:{port}", SENDER).send(letter())

    assert not refused.value.refused
    assert inbox.envelopes == []


async def test_it_signs_in_with_the_user_name_of_the_url(certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    inbox, (server, client) = Inbox(), certificate
    options = {"tls_context": server, "authenticator": accepts(b"mail@user", b"p@ss/word"), "auth_required": True}
    async with smtp_server(inbox, **options) as port:
        await SmtpMailer(f"smtp://mail%40user:p%40ss%2Fword@127.0.0.1:{port}", SENDER, context=client).send(letter())

    assert len(inbox.envelopes) == 1


async def test_a_wrong_password_for_the_mail_server_leaves_the_letter_for_later(
    certificate: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    inbox, (server, client) = Inbox(), certificate
    options = {"tls_context": server, "authenticator": accepts(b"user", b"right"), "auth_required": True}
    async with smtp_server(inbox, **options) as port:
        with pytest.raises(MailNotSent) as fault:
            await SmtpMailer(f"smtp://user:canary@127.0.0.1:{port}", SENDER, context=client).send(letter())

    assert not fault.value.refused
    assert "canary" not in str(fault.value)


async def test_a_password_is_never_sent_without_tls() -> None:
    """A server in the middle that hides STARTTLS gets nothing."""
    inbox = Inbox()
    options = {"authenticator": accepts(b"user", b"right"), "auth_require_tls": False}
    async with smtp_server(inbox, **options) as port:
        with pytest.raises(MailNotSent):
            await SmtpMailer(f"smtp://user:right@127.0.0.1:{port}", SENDER).send(letter())

    assert inbox.envelopes == []


@pytest.mark.parametrize(
    ("command", "reply", "refused"),
    [
        ("RCPT", "450 busy", False),
        ("RCPT", "550 no such user", True),
        ("DATA", "451 later", False),
        ("DATA", "554 spam", True),
        ("MAIL", "550 not you", False),
    ],
)
async def test_only_what_is_refused_for_good_is_given_up(command: str, reply: str, refused: bool) -> None:
    """A refused sender is for who runs this server to set right."""
    inbox = Inbox()
    inbox.replies[command] = [reply]
    async with smtp_server(inbox) as port:
        with pytest.raises(MailNotSent) as fault:
            await SmtpMailer(f"smtp://127.0.0.1:{port}", SENDER).send(letter())

    assert fault.value.refused is refused
    assert reply[:3] in str(fault.value)
    assert "ada@example.com" not in str(fault.value)


async def test_a_server_that_is_gone_leaves_the_letter_for_later() -> None:
    async with smtp_server(Inbox()) as port:
        pass

    with pytest.raises(MailNotSent) as fault:
        await SmtpMailer(f"smtp://127.0.0.1:{port}", SENDER).send(letter())

    assert not fault.value.refused


@pytest.mark.parametrize("subject", ["Hello\r\nBcc: eve@example.com", "Hello\nBcc: eve@example.com\n\nbody"])
def test_a_line_break_starts_no_header(subject: str) -> None:
    """RG16."""
    message = message_of(letter(subject=subject), SENDER)

    assert message["Bcc"] is None
    assert b"\r\nBcc:" not in message.as_bytes().partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize(
    "recipient", ["a@example.com\r\nBcc: eve@example.com", "a@example.com\n", "a, b@example.com", ""]
)
async def test_an_address_that_is_none_is_not_written_to(recipient: str, tmp_path: Path) -> None:
    """RG16."""
    with pytest.raises(MailNotSent):
        await FileMailer(tmp_path, SENDER, terminal=StringIO()).send(letter(recipient=recipient))

    assert list(tmp_path.glob("*.eml")) == []


def test_the_host_of_an_address_goes_out_in_its_ascii_form() -> None:
    assert message_of(letter(recipient="ada@bücher.example"), SENDER)["To"] == "ada@xn--bcher-kva.example"


async def test_an_address_with_other_letters_before_the_at_is_written_to() -> None:
    """RFC 6531: whoever can register with it can verify it."""
    inbox = Inbox()
    async with smtp_server(inbox, enable_SMTPUTF8=True) as port:
        await SmtpMailer(f"smtp://127.0.0.1:{port}", SENDER).send(letter(recipient="jürgen@bücher.example"))

    [envelope] = inbox.envelopes
    assert envelope.rcpt_tos == ["jürgen@xn--bcher-kva.example"]
    assert "\r\nTo: jürgen@xn--bcher-kva.example\r\n" in envelope.content.decode()


@pytest.mark.parametrize(
    ("sender", "mail_from", "header"),
    [
        ("no-reply@bücher.example", "no-reply@xn--bcher-kva.example", "no-reply@xn--bcher-kva.example"),
        (
            "Bücher <no-reply@straße.example>",
            "no-reply@xn--strae-oqa.example",
            "Bücher <no-reply@xn--strae-oqa.example>",
        ),
        ("ACME, Inc. <no-reply@id.example>", "no-reply@id.example", '"ACME, Inc." <no-reply@id.example>'),
        ('"ACME, Inc." <no-reply@id.example>', "no-reply@id.example", '"ACME, Inc." <no-reply@id.example>'),
    ],
)
async def test_a_sender_of_any_form_writes_through_a_server_that_knows_ascii_only(
    sender: str, mail_from: str, header: str
) -> None:
    inbox = Inbox()
    async with smtp_server(inbox) as port:
        await SmtpMailer(f"smtp://127.0.0.1:{port}", sender).send(letter())

    assert inbox.envelopes[0].mail_from == mail_from
    assert inbox.messages[0]["From"] == header
    assert inbox.messages[0]["Message-ID"].isascii()


@pytest.mark.parametrize(
    ("recipient", "header", "mailbox"),
    [
        ('"a b"@example.com', '"a b"@example.com', '"a b"@example.com'),
        # What is read of it by a server has no quotes: all forms are one mailbox.
        ("a..b@docomo.ne.jp", '"a..b"@docomo.ne.jp', "a..b@docomo.ne.jp"),
        ("a.@docomo.ne.jp", '"a."@docomo.ne.jp', "a.@docomo.ne.jp"),
        ("ada@straße.example", "ada@xn--strae-oqa.example", "ada@xn--strae-oqa.example"),
    ],
)
async def test_names_with_quotes_and_dots_are_written_to(recipient: str, header: str, mailbox: str) -> None:
    """RFC 5321, section 4.1.2: dots in a row need quotes between servers."""
    inbox = Inbox()
    async with smtp_server(inbox) as port:
        await SmtpMailer(f"smtp://127.0.0.1:{port}", SENDER).send(letter(recipient=recipient))

    assert inbox.envelopes[0].rcpt_tos == [mailbox]
    assert f"\r\nTo: {header}\r\n".encode() in inbox.envelopes[0].content


async def test_a_server_that_takes_the_connection_and_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        ended.set()
        writer.close()

    monkeypatch.setattr(mailer, "DEADLINE", 0.05)
    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        with pytest.raises(MailNotSent) as fault:
            await SmtpMailer(f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}", SENDER).send(letter())
        async with asyncio.timeout(60):
            await ended.wait()

    assert not fault.value.refused


async def test_a_link_is_whole_in_the_file(tmp_path: Path) -> None:
    link = f"https://id.example/reset-password?token={'x' * 43}"

    await FileMailer(tmp_path, SENDER, terminal=StringIO()).send(letter(text=f"Über:\n\n{link}\n", link=link))

    [file] = tmp_path.glob("*.eml")
    assert link in file.read_text()
    assert file.name.endswith("-ada@example.com.eml")
    assert file.stat().st_mode & 0o777 == 0o600


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


async def test_the_terminal_shows_whom_and_the_link(tmp_path: Path) -> None:
    terminal = Terminal()

    await FileMailer(tmp_path, SENDER, terminal=terminal).send(letter(link="https://id.example/x"))

    assert terminal.getvalue() == "Mail to ada@example.com: https://id.example/x\n"


async def test_a_log_never_has_the_link(tmp_path: Path) -> None:
    """LG1: what is no terminal is kept by somebody."""
    log = StringIO()

    await FileMailer(tmp_path, SENDER, terminal=log).send(letter(link="https://id.example/x"))

    assert log.getvalue() == ""
