"""Mail addresses that accounts may have, and how mail servers take them."""

from __future__ import annotations

import pytest

from idp.domain.accounts.mail_addresses import sender
from idp.domain.accounts.users import canonical_email
from idp.gateways.mailer import deliverable
from idp.services.accounts.mail_addresses import mail_address


@pytest.mark.parametrize(
    "address",
    [
        *(
            "ada@corp.local",
            "ada@host.localhost",
            "ada@localhost.test",
            "ada@mail.internal",
            "ada@nas.lan",
            "ada@fritz.box",
        ),
        *("ada@company.example", "ada@a.invalid", "ada@hidden.onion", "ada@router.home.arpa", "ada@intra.corp"),
        *("üser@example.com", "ada@bücher.example", "ada@例え.テスト", "邮箱@例子.测试"),
        *("a..b@docomo.ne.jp", "a.@docomo.ne.jp", "a...b..@ezweb.ne.jp", '"a b"@example.com', '".a"@example.com'),
        *("o'brien@example.com", "ada+tag@example.com", "a/b=c@example.com", "1@example.com"),
    ],
)
def test_an_address_in_use_is_kept_and_comes_back_as_it_is(address: str) -> None:
    assert mail_address(address) == address
    assert mail_address(mail_address(address)) == address


@pytest.mark.parametrize(
    ("spelled", "stored"),
    [
        ('"ada"@example.com', "ada@example.com"),
        ('"a..b"@docomo.ne.jp', "a..b@docomo.ne.jp"),
        ('"a."@docomo.ne.jp', "a.@docomo.ne.jp"),
        ("Ada@EXAMPLE.com", "Ada@example.com"),
        ("ada@xn--bcher-kva.example", "ada@bücher.example"),
    ],
)
def test_spellings_of_one_mailbox_are_one_account(spelled: str, stored: str) -> None:
    assert mail_address(spelled) == stored
    assert canonical_email(spelled) == canonical_email(stored)


@pytest.mark.parametrize(
    "text",
    [
        *('"a@b"@example.com', '"a,b"@example.com', '"<a>"@example.com', '"a\\"b"@example.com', '"a\\\\b"@example.com'),
        *('"ada"x@example.com', '"a b@example.com', 'a b"@example.com', '""@example.com', '"a\tb"@example.com'),
        *(
            ".ada@example.com",
            "..@example.com",
            ".@example.com",
            "@corp.local",
            "ada@local",
            "ada@.local",
            "ada@corp..local",
        ),
        *('"Ada" <ada@example.com>', "ada..\u202eb@docomo.ne.jp", "ada@corp_.local", "ada@[192.0.2.1]", '"ada b"@"x"'),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """RG16."""
    with pytest.raises(ValueError, match="e-mail address"):
        mail_address(text)


def test_a_server_gets_quotes_only_where_dots_need_them() -> None:
    assert deliverable("a.b@example.com") == "a.b@example.com"
    assert deliverable("a..b@docomo.ne.jp") == '"a..b"@docomo.ne.jp'
    assert deliverable('"a b"@bücher.example') == '"a b"@xn--bcher-kva.example'


def test_a_sender_has_a_name_with_any_punctuation() -> None:
    assert sender("ACME, Inc. <a@b.example>") == ("ACME, Inc.", "a@b.example")
    assert sender('"ACME: <3" <a@b.example>') == ("ACME: <3", "a@b.example")
    assert sender("a@localhost") == ("", "a@localhost")
