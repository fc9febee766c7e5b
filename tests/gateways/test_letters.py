"""What mails say, kind by kind."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from jinja2 import UndefinedError

from idp.domain.accounts.mails import Letter, MailKind, QueuedMail
from idp.gateways.letters import TemplateLetters
from idp.gateways.templates import templates_folder

ISSUER = "https://id.example"
LINK = f"{ISSUER}/reset-password?token={'t' * 43}"


def mail(kind: MailKind, **params: str) -> QueuedMail:
    asked_at = datetime(2031, 2, 3, 4, 5, tzinfo=UTC)
    return QueuedMail(
        id=uuid4(), kind=kind, recipient="ada@example.com", user_id=None, created_at=asked_at, attempts=1, params=params
    )


def written(kind: MailKind, **params: str) -> Letter:
    letters = TemplateLetters(templates_folder() / "mail", ISSUER)
    return letters.write(mail(kind, **params), "ada@example.com", link=LINK, token="t" * 43, lifetime="30 minutes")


@pytest.mark.parametrize("kind", MailKind)
def test_every_kind_has_a_subject_a_text_and_a_page(kind: MailKind) -> None:
    letter = written(kind)

    assert 5 < len(letter.subject) < 78
    assert ISSUER in letter.text
    assert ISSUER in letter.html
    assert not re.search(r"[{}]|None", letter.text + letter.subject)
    assert letter.subject not in letter.text


@pytest.mark.parametrize("kind", MailKind)
def test_no_mail_loads_anything_from_anywhere(kind: MailKind) -> None:
    """RG13: whoever opens it tells nobody."""
    page = written(kind).html

    assert not re.search(r"src=|url\(|@import|<script|<link", page)
    assert set(re.findall(r'href="([^"]+)"', page)) <= {LINK}


def test_the_link_stands_on_a_line_of_its_own() -> None:
    assert LINK in written(MailKind.RESET_PASSWORD).text.splitlines()


def test_what_a_caller_chose_is_escaped_in_the_page() -> None:
    """RG16."""
    hostile = "<img src=x>{{ 7 * 7 }}"

    letter = written(MailKind.RESET_PASSWORD, address=hostile)

    assert "<img" not in letter.html
    assert "&lt;img" in letter.html
    assert "49" not in letter.html + letter.text


def test_a_name_that_nobody_gives_is_an_error(tmp_path: Path) -> None:
    for kind in MailKind:
        (tmp_path / f"{kind}.txt").write_text("Subject\n\n{{ nowhere }}")
        (tmp_path / f"{kind}.html").write_text("")

    with pytest.raises(UndefinedError):
        TemplateLetters(tmp_path, ISSUER).write(mail(MailKind.INVITATION), "ada@example.com")
