"""
Requests to sign out that come from a client (OpenID Connect RP-Initiated Logout 1.0).

Anybody can send a browser here, so a request alone signs nobody out: either the browser's cookie and an ID token in the
request name the same user, or whoever sits there is asked. An ID token alone proves nothing: it passes through many hands and
logs, and never expires as a hint. While the user is asked, the request is stored, and pages know it by a handle.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from idp.domain.sign_in.browser_sessions import Visitor

LIFETIME = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutRequest:
    """
    *client_id*, *client_name*: of who asks, None when the request does not say. *redirect_uri* is registered for that client;
    *state* goes there too. *subject*, *session_id*: the user and the session that an authentic ID token names.

    *way_back_lost*: the redirect URI was left out, since the ID token that should prove whose it is was none of ours.

    *browser* is the digest of the cookie that it is bound to, None for one that came by POST and is not yet bound.
    """

    client_id: str | None = None
    client_name: str | None = None
    redirect_uri: str | None = None
    state: str | None = None
    ui_locales: str | None = None
    subject: str | None = None
    session_id: UUID | None = None
    browser: str | None = None
    way_back_lost: bool = False

    def names(self, visitor: Visitor) -> bool:
        return self.subject == str(visitor.user.id)


class LogoutRequests(Protocol):
    """*digest* is that of the handle."""

    async def put(self, digest: str, request: LogoutRequest) -> None:
        """Stored for `LIFETIME` from now; replaces what was there."""

    async def find(self, digest: str) -> LogoutRequest | None: ...

    async def remove(self, digest: str) -> None: ...
