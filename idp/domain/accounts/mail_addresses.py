"""
Mail addresses: what an account may have (`idp.services.accounts.mail_addresses` has the rule), and the forms that servers take.

The name before the @ is a dot-atom or quoted (RFC 5321, section 4.1.2; RFC 6531). Two liberties and one restriction:

    dots        several in a row and one at the end are taken without quotes: `a..b@docomo.ne.jp`, `a.@ezweb.ne.jp` are
                addresses of mobile networks in Japan, and their owners type them so
    hosts       of every top-level domain, those for special use too (RFC 6761: `corp.local`, `localhost.test`,
                `mail.internal`): intranets have mail
    quotes      hold letters, spaces and dots only. Addresses such as `"x@victim.example,"@evil.example` mean one host to
                one program and another host to the next
"""

from __future__ import annotations

import re

MAX_EMAIL = 254  # RFC 5321, section 4.5.3.1.3, less the angle brackets
# Longer than any address (RFC 5321, section 4.5.3.1, allows 254), whatever spelling it comes in.
LONGEST_ADDRESS = 1000

ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-"
DOTTED = re.compile(rf"[{ATEXT}][{ATEXT}.]*")
DOT_ATOM = re.compile(rf"[{ATEXT}]+(?:\.[{ATEXT}]+)*")
QUOTED = re.compile(rf'"([{ATEXT}. ]+)"')
MAILBOX = r"[^\s@<>,;:\"()]+@[^\s@<>,;:\"()]+"
# No line break: it would start another header of the mail.
SENDER = re.compile(
    rf"""(?P<alone>{MAILBOX})|(?:"(?P<quoted>[^"\\\x00-\x1f\x7f]*)"\s*|(?P<plain>[^<>"\x00-\x1f\x7f]*))<(?P<address>{MAILBOX})>"""
)


def unquoted(local: str) -> str:
    """Without quotes around what needs none, or none but its dots: all spellings are one mailbox (RFC 5321, 4.1.2)."""
    quoted = QUOTED.fullmatch(local)
    return quoted[1] if quoted is not None and DOTTED.fullmatch(quoted[1]) else local


def sender(text: str) -> tuple[str, str]:
    """
    Name and address of `Name <address>`, `"Name" <address>` or `address`; the name may be empty and hold commas.

    Raises `ValueError`.
    """
    match = SENDER.fullmatch(text)
    if match is None:
        raise ValueError
    return (match["quoted"] or match["plain"] or "").strip(), match["alone"] or match["address"]
