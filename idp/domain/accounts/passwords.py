"""
Passwords: which ones an account may have, and what checking one tells.

How they are hashed is a gateway's business. What every implementation promises: no password is cut short, two ways of
typing the same characters are the same password, and an unknown user costs as much as a known one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from unicodedata import normalize

FEWEST_CHARACTERS = 8
MOST_CHARACTERS = 1_000

# The longest decomposed character has four code points. unicodedata.normalize takes quadratic time for a long run of
# combining marks (32,000 of them hold the interpreter for 0.8 s), so nothing longer than this is ever normalised.
MOST_CODE_POINTS = 4 * MOST_CHARACTERS


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    *matched*: the password is the one stored.

    *outdated*: the stored hash has fewer rounds than configured or an imported format; replace it once matched.
    *damaged*: what is stored is no hash at all; worth an alert, for the caller it is a wrong password.
    """

    matched: bool
    outdated: bool = False
    damaged: bool = False


class Passwords(Protocol):
    async def hash(self, password: str) -> str:
        """The text to store. Raises `PasswordsBusy` when it could not be done in time."""

    async def verify(self, password: str, stored: str | None) -> Verdict:
        """
        Compare *password* with what `hash` or another system stored; None for an unknown user, at the same cost.

        Raises `PasswordsBusy` when it could not be done in time; then nothing is known of the password.
        """

    def require_usable(self, stored: str) -> None:
        """Raises `idp.domain.accounts.affordable_hashes.UnusableHash` for what `verify` would call damaged. Computes no hash."""


def normalised(password: str) -> str:
    """NFC, so that one keyboard's "é" is another's (NIST SP 800-63B-4, section 3.1.1.2); a far too long text stays."""
    return normalize("NFC", password) if len(password) <= MOST_CODE_POINTS else password


# Of the names and the address of a user: shorter ones stand in good passwords by chance.
SHORTEST_KNOWN_WORD = 4
FEWEST_OWN_CHARACTERS = 6


def made_of(password: str, known: Iterable[str]) -> bool:
    """Whether little is left of *password* without the words that are known of its user, in any case of letters."""
    left = normalised(password).casefold()
    words = {normalised(word).casefold() for word in known if len(word) >= SHORTEST_KNOWN_WORD}
    parts = [word for word in words if word in left]
    for word in sorted(parts, key=len, reverse=True):
        left = left.replace(word, "")
    return bool(parts) and len(left) < FEWEST_OWN_CHARACTERS


def password_faults(password: str) -> list[str]:
    """What the policy finds wrong, one sentence each; empty for a good password. Characters are counted after NFC."""
    text = normalised(password)
    checks = {
        f"The password needs at least {FEWEST_CHARACTERS} characters.": len(text) >= FEWEST_CHARACTERS,
        f"The password may have at most {MOST_CHARACTERS:,} characters.": len(text) <= MOST_CHARACTERS,
        "The password needs a lower-case letter.": any(map(str.islower, text)),
        "The password needs an upper-case letter.": any(map(str.isupper, text)),
        "The password needs a digit.": any(map(str.isdecimal, text)),
        "The password contains something that is no character.": not any(
            "\ud800" <= letter <= "\udfff" for letter in text
        ),
    }
    return [fault for fault, passed in checks.items() if not passed]
