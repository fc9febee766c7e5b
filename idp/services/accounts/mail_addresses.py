"""The rule for mail addresses, the same at every door and for the settings."""

from __future__ import annotations

import re
import unicodedata

import email_validator

from idp.domain.accounts.mail_addresses import DOTTED, LONGEST_ADDRESS, MAX_EMAIL, QUOTED, unquoted

# The library refuses these whatever it is asked for; its documentation says to change the list.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def mail_address(text: str) -> str:
    """
    The form to store: trimmed, NFKC, the host in its own letters and lower case, no quotes that are not needed.

    Raises `ValueError` with a sentence that does not repeat *text*.
    """
    # Before it is normalised, too: that takes quadratic time for a long run of combining marks.
    trimmed = unicodedata.normalize("NFKC", text).strip() if len(text) <= LONGEST_ADDRESS else text
    if len(trimmed) > MAX_EMAIL:
        raise ValueError(f"An e-mail address has at most {MAX_EMAIL} characters.")
    local, _, host = trimmed.rpartition("@")
    local = unquoted(local)
    try:
        # Not only globally deliverable names: intranets and the reserved test domains have mail too. With a dot all the same.
        parsed = email_validator.validate_email(
            f"{_with_single_dots(local)}@{host}",
            allow_quoted_local=QUOTED.fullmatch(local) is not None,
            check_deliverability=False,
            globally_deliverable=False,
        )
    except email_validator.EmailNotValidError:
        raise ValueError("Give an e-mail address, such as ada@example.com.") from None
    if "." not in parsed.ascii_domain.strip("."):
        raise ValueError("Give an e-mail address with a full domain, such as ada@example.com.")
    dotted = DOTTED.fullmatch(local) is not None
    return f"{unicodedata.normalize('NFC', local)}@{parsed.domain}" if dotted else parsed.normalized


def _with_single_dots(local: str) -> str:
    return re.sub(r"\.+", ".", local).rstrip(".") if DOTTED.fullmatch(local) else local
