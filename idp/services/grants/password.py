"""
A user's password handed over by the client (RFC 6749, section 4.3).

RFC 9700, section 2.4, drops it: only clients that list it may use it. It is one more door into `Login`, with the same limit.
"""

from __future__ import annotations

from authlib.oauth2.rfc6749 import InvalidGrantError, grants

from idp.domain.errors import EmailNotVerified, InvalidCredentials
from idp.domain.limits import Category
from idp.domain.scopes import without_reserved
from idp.domain.users import User
from idp.services.access_tokens import Subject
from idp.services.grants import Grant


class PasswordGrant(Grant, grants.ResourceOwnerPasswordCredentialsGrant):  # type: ignore[misc]
    async def authenticate_user(self, username: str, password: str) -> User:
        request, login = self.request, self.server.login
        await self.server.limiter.take(Category.LOGIN, request.address)
        try:
            user = await login.authenticate(username, password, device=request.device_token)
            await login.admit(user)
        except (InvalidCredentials, EmailNotVerified) as refusal:
            # Authlib's own answer would be invalid_request.
            raise InvalidGrantError(refusal.detail) from refusal
        request.device = login.remember(user, request.device_token)
        return user

    def validate_requested_scope(self) -> None:
        """Nothing to do: `generate_token` grants what the client may have, or refuses."""

    def allowed_scope(self) -> str:
        """No page asks the user here: what needs consent is for a first party alone."""
        client = self.registered
        return client.scope if client.first_party else without_reserved(client.scope)

    def subject(self, user: User, scope: str) -> Subject:
        session = self.server.new_session(user, self.registered, scope=scope, audience=self.audience())
        self.request.session = session
        return Subject.of(session, user.roles)
