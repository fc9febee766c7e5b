"""
Which addresses, names and passwords an account may have: the same at every door.

Each takes what was given and returns the form to store. Raises `ValueError` with a sentence for whoever gave it, which
never repeats the value.
"""

from __future__ import annotations

import unicodedata

from email_validator import EmailNotValidError, validate_email
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from idp.domain import names
from idp.domain.errors import FieldError, ValidationFailed
from idp.domain.passwords import made_of, password_faults
from idp.domain.users import LONGEST_ADDRESS

# The 30,000 most frequent passwords of public leaks, as zxcvbn has them: in lower case, and read once, at the start.
COMMON_PASSWORDS = frozenset(FREQUENCY_LISTS["passwords"])

MAX_EMAIL = 254  # RFC 5321, section 4.5.3.1.3, less the angle brackets


def email(text: str) -> str:
    # Before it is normalised, too: that takes quadratic time for a long run of combining marks.
    trimmed = unicodedata.normalize("NFKC", text).strip() if len(text) <= LONGEST_ADDRESS else text
    if len(trimmed) > MAX_EMAIL:
        raise ValueError(f"An e-mail address has at most {MAX_EMAIL} characters.")
    try:
        # Not only globally deliverable names: intranets and the reserved test domains have mail too. With a dot all the same.
        parsed = validate_email(trimmed, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise ValueError("Give an e-mail address, such as ada@example.com.") from None
    if "." not in parsed.ascii_domain.strip("."):
        raise ValueError("Give an e-mail address with a full domain, such as ada@example.com.")
    return parsed.normalized


def name(text: str) -> str:
    spaced = names.line(text)
    if not names.is_whole_name(spaced, fewest=2, most=50):
        raise ValueError("A name has 2 to 50 characters.")
    return spaced


def new_password(text: str) -> str:
    faults = password_faults(text)
    if text.casefold() in COMMON_PASSWORDS:
        faults.append("This password is on lists of common passwords, which are tried first.")
    if faults:
        raise ValueError(" ".join(faults))
    return text


def require_other_than_known(password: str, address: str, name: str, *, field: str) -> None:
    """Raises `ValidationFailed` naming *field* for a password that says little more than the address or the name."""
    if made_of(password, [address.rpartition("@")[0], *name.split()]):
        message = "The password is little more than your name or address: choose one that nobody can guess from those."
        raise ValidationFailed([FieldError(field, message)])
