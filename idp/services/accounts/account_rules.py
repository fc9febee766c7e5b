"""
Which addresses, names and passwords an account may have: the same at every door.

Each takes what was given and returns the form to store. Raises `ValueError` with a sentence for whoever gave it, which
never repeats the value.
"""

from __future__ import annotations

from zxcvbn.frequency_lists import FREQUENCY_LISTS

from idp.domain.accounts import names
from idp.domain.accounts.passwords import made_of, password_faults
from idp.domain.errors import FieldError, ValidationFailed
from idp.services.accounts.mail_addresses import mail_address

# The 30,000 most frequent passwords of public leaks, as zxcvbn has them: in lower case, and read once, at the start.
COMMON_PASSWORDS = frozenset(FREQUENCY_LISTS["passwords"])

email = mail_address


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
