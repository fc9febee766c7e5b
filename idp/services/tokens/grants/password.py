"""
A user's password handed over by the client (RFC 6749, section 4.3).

RFC 9700, section 2.4, drops it: only clients that list it may use it. It is one more door into `Login`, with the same limit.
"""

from __future__ import annotations

from ipaddress import ip_address

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError, grants

from idp.domain.accounts.users import User
from idp.domain.errors import EmailNotVerified, InvalidCredentials
from idp.domain.tokens.scopes import without_reserved
from idp.services.tokens.access_tokens import Subject
from idp.services.tokens.grants import Grant

# The address that the user of a confidential client called from.
USER_ADDRESS = "user_address"


class PasswordGrant(Grant, grants.ResourceOwnerPasswordCredentialsGrant):  # type: ignore[misc]
    async def authenticate_user(self, username: str, password: str) -> User:
        request, login = self.request, self.server.login
        try:
            async with self.server.limiter.sign_in(self._counted_address()):
                user = await login.authenticate(username, password, device=request.device_token)
                await login.admit(user)
        except (InvalidCredentials, EmailNotVerified) as refusal:
            # Authlib's own answer would be invalid_request.
            raise InvalidGrantError(refusal.detail) from refusal
        request.device = login.remember(user, request.device_token)
        return user

    def _counted_address(self) -> str:
        """
        Whose attempt this is: the caller's address, or the one that a client which has proved itself by a secret or a key
        names for its user. A public client proves nothing: anybody could choose under its name where guesses count.
        """
        named: str | None = self.request.form.get(USER_ADDRESS)
        if named is None or self.registered.public:
            return self.request.address
        try:
            return str(ip_address(named))
        except ValueError:
            raise InvalidRequestError(f"{USER_ADDRESS} is not an IP address.") from None

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
