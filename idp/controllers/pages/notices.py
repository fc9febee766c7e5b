"""What a page says after something was done, in English; the catalogues have it in other languages."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Notice(StrEnum):
    """After something was done. An address names one by its name alone, so that nobody can write on a page."""

    PROFILE_SAVED = "Your profile was saved."
    PASSWORD_CHANGED = "Your password was changed. All your other sessions were ended."  # noqa: S105 - a sentence
    CONFIRMATION_SENT = "We have sent a mail to the new address. It takes effect once you confirm it there."
    VERIFICATION_SENT = "We have sent you another mail with a link that confirms your address."
    SESSION_ENDED = "That session was ended."
    OTHER_SESSIONS_ENDED = "All your other sessions were ended."
    ACCESS_WITHDRAWN = "The application no longer has access to your account."

    @classmethod
    def named(cls, text: str | None) -> Self | None:
        """From what an address says, such as `profile_saved`; None for anything else."""
        return next((notice for notice in cls if notice.name.lower() == text), None)
