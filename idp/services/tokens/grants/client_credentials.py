"""A client for itself (RFC 6749, section 4.4). Never a refresh token; `sub` is the client. /auth and /admin are for users."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749 import grants

from idp.domain.operation.limits import Category
from idp.domain.tokens.scopes import without_reserved
from idp.services.clients.client_authentication import METHODS
from idp.services.tokens.access_tokens import Subject
from idp.services.tokens.authlib_bridge import hook
from idp.services.tokens.grants import Grant


class ClientCredentialsGrant(Grant, grants.ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS: tuple[str, ...] = tuple(method for method in METHODS if method != "none")

    def validate_token_request(self) -> None:
        super().validate_token_request()
        self.count()

    @hook
    async def count(self) -> None:
        """Once the client has proved who it is: nobody else can use up its limit."""
        await self.server.limiter.take(Category.CLIENT, self.registered.client_id)

    def allowed_scope(self) -> str:
        return without_reserved(self.registered.scope)

    def subject(self, user: Any, scope: str) -> Subject:
        client_id = self.registered.client_id
        return Subject(sub=client_id, client_id=client_id, scope=scope, audience=self.audience())
