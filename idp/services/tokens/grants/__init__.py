"""
One file a grant type. What they share: `Grant`.

Read hooks only read. `generate_token` signs, `AuthorizationServer.save_token` is the one write of a token request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidScopeError

from idp.domain.clients.clients import Client
from idp.domain.errors import EmailNotVerified
from idp.domain.sign_in.consents import allowed_scopes
from idp.domain.tokens.scopes import granted_scope
from idp.services.clients.client_authentication import METHODS
from idp.services.tokens.access_tokens import Subject
from idp.services.tokens.authlib_bridge import AsyncHooks, hook
from idp.services.tokens.token_request import InvalidTargetError

if TYPE_CHECKING:
    from idp.services.tokens.authorization_server import AuthorizationServer
    from idp.services.tokens.token_request import TokenRequest


class Grant(AsyncHooks):
    """Authlib's token generators never see the request; `generate_token` here does, so what a token says is decided here."""

    TOKEN_ENDPOINT_AUTH_METHODS: tuple[str, ...] = METHODS
    request: TokenRequest
    server: AuthorizationServer

    @property
    def registered(self) -> Client:
        return cast("Client", self.request.client.client)

    def subject(self, user: Any, scope: str) -> Subject:
        """Whom and what the access token is about."""
        raise NotImplementedError

    def generate_token(self, user: Any = None, scope: str | None = None, **_: Any) -> dict[str, Any]:
        """The answer without a refresh token: `save_token` adds that once it exists."""
        granted = granted_scope(scope, self.allowed_scope(), default=self.default_scope())
        if granted is None:
            raise InvalidScopeError
        return {
            "access_token": self.server.access_tokens.issue(self.subject(user, granted)),
            "token_type": "Bearer",
            "expires_in": self.server.access_tokens.lifetime,
            "scope": granted,
        }

    def require_verified(self, email_verified: bool) -> None:
        """What was presented stays good: once the address is verified it may be presented again."""
        try:
            self.server.login.require_verified(email_verified=email_verified)
        except EmailNotVerified as refusal:
            raise InvalidGrantError(refusal.detail) from refusal

    def allowed_scope(self) -> str:
        return self.registered.scope

    def default_scope(self) -> str | None:
        """What a request that names no scope gets; None: all that is allowed but what must be asked for by name."""
        return None

    def audience_within(self, granted: str | None, *, scope: str, asked_user: UUID | None) -> str | None:
        """
        The resource that is asked for, which must be the one that the user's grant is for, if that names one.

        *asked_user*: who was shown what the grant is for, on the page of consent: what was not on it needs consent of
        before. None where a password was handed over.
        """
        asked = Grant.audience(self)
        if granted is None:
            if (
                asked is None or asked == self.server.access_tokens.issuer
            ):  # what the token is for without a resource too
                return None
            if asked_user is not None:
                self.require_consent(asked_user, asked, scope)
            return asked
        if asked not in (None, granted):
            raise InvalidTargetError("The session was granted for another resource.")
        if not self.registered.may_ask_for(granted):
            raise InvalidTargetError("The client may no longer ask for the resource that was granted.")
        return granted

    @hook
    async def require_consent(self, user_id: UUID, resource: str, scope: str) -> None:
        client = self.registered
        if client.first_party:
            return
        consent = await self.server.consents.find(user_id, client.client_id)
        if not set(scope.split()) <= allowed_scopes(consent, client, resource):
            raise InvalidTargetError("Name the resource in the authorization request too: the user is asked there.")

    def audience(self) -> str | None:
        """The resource that is asked for, if the client may (RFC 8707)."""
        resource = self.request.resource
        if resource is None:
            return None
        if not self.registered.may_ask_for(resource):
            raise InvalidTargetError("The client may not ask for that resource.")
        return resource
