"""
What the authorization endpoint refuses.

    LocalError     client or redirect URI are not proven: a page of ours says so, and nobody is sent anywhere
    ClientError    the client is told, at its redirect URI (RFC 6749, section 4.1.2.1)
"""

from __future__ import annotations

from idp.domain.authorization import Target
from idp.domain.errors import Malformed, Refusal


class LocalError(Malformed):
    """RFC 9700, section 4.11: who cannot be named a client's own page is not sent there."""


class ClientError(Refusal):
    """*code* and *description* go to *target*."""

    def __init__(self, target: Target, code: str, description: str) -> None:
        super().__init__(description)
        self.target = target
        self.code = code
        self.description = description
