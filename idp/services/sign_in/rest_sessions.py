"""
Signing in, refreshing and signing out for `/auth/*`: the built-in public client `idp-rest`.

Another door into `Login` and `SessionService`: a token from here refreshes at `/oauth2/token` for the same client, and back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from idp.domain.accounts.users import User
from idp.domain.clients.clients import REST_CLIENT
from idp.domain.errors import FieldError, ValidationFailed
from idp.services.sessions.sessions import SessionService
from idp.services.sign_in.devices import Device
from idp.services.sign_in.login import Login
from idp.services.tokens.access_tokens import AccessTokens, Subject


@dataclass(frozen=True, slots=True)
class Tokens:
    """*expires_in*: seconds until the access token ends."""

    access_token: str
    refresh_token: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class SignIn:
    """*device*: from now on this user is recognised there."""

    user: User
    tokens: Tokens
    device: Device


@dataclass(frozen=True, slots=True, kw_only=True)
class RestSessions:
    """*on_issued* is told the grant of each answer with tokens, as the token endpoint would name it."""

    login: Login
    sessions: SessionService
    access_tokens: AccessTokens
    on_issued: Callable[[str], None]

    async def sign_in(
        self, address: str, password: str, *, resource: str | None = None, device: str | None = None
    ) -> SignIn:
        """
        *resource*: the API that the access tokens are for (RFC 8707); None: this server. *device*: the token that the device
        presents. Raises `ValidationFailed` before anybody is asked, and as `Login.authenticate` and `Login.admit`.
        """
        if resource is not None and not REST_CLIENT.may_ask_for(resource):
            raise ValidationFailed([FieldError("resource", "An absolute URI without a fragment (RFC 8707).")])
        user = await self.login.authenticate(address, password, device=device)
        await self.login.admit(user)
        session = self.sessions.new(user, REST_CLIENT, scope=REST_CLIENT.scope, audience=resource)
        access_token = self.access_tokens.issue(Subject.of(session, user.roles))
        refresh_token = await self.sessions.start(session, refreshable=True) or ""
        self.on_issued("password")
        return SignIn(user, self._tokens(access_token, refresh_token), self.login.remember(user, device))

    async def refresh(self, refresh_token: str) -> Tokens:
        """
        Raises `InvalidToken`, `RateLimited`, and `EmailNotVerified`, after which the token is still good.

        The access token is signed first: if that failed, the refresh token would still be good.
        """
        presented = await self.sessions.present(refresh_token, REST_CLIENT.client_id)
        self.login.require_verified(email_verified=presented.state.email_verified)
        access_token = self.access_tokens.issue(Subject.of(presented.state.session, presented.state.roles))
        successor = await self.sessions.rotate(presented)
        self.on_issued("refresh_token")
        return self._tokens(access_token, successor)

    async def sign_out(self, refresh_token: str) -> bool:
        """Whether that ended a session."""
        return await self.sessions.end(refresh_token, REST_CLIENT.client_id)

    async def sign_out_everywhere(self, user_id: UUID) -> None:
        await self.sessions.end_all(user_id)

    def _tokens(self, access_token: str, refresh_token: str) -> Tokens:
        return Tokens(access_token, refresh_token, self.access_tokens.lifetime)
