"""
What the authorization endpoint refuses.

    LocalError     client or redirect URI are not proven: a page of ours says so, and nobody is sent anywhere
      RequestGone  the request that a page belongs to has expired: the page leads on
    ClientError    the client is told, at its redirect URI (RFC 6749, section 4.1.2.1)
"""

from __future__ import annotations

from idp.domain.clients.clients import Client
from idp.domain.errors import Malformed, Refusal
from idp.domain.sign_in.authorization import Target


class LocalError(Malformed):
    """RFC 9700, section 4.11: who cannot be named a client's own page is not sent there."""


class RequestGone(LocalError):
    """
    Expired, or of another browser. *client*: whose request it was, as its handle says, which anybody can write; None if that
    is not known.
    """

    def __init__(self, detail: str, client: Client | None = None) -> None:
        super().__init__(detail)
        self.client = client


class ClientError(Refusal):
    """*code* and *description* go to *target*."""

    def __init__(self, target: Target, code: str, description: str) -> None:
        super().__init__(description)
        self.target = target
        self.code = code
        self.description = description
