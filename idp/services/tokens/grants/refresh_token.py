"""RFC 6749, section 6, with rotation (RFC 9700, section 4.14)."""

from __future__ import annotations

from typing import Any, cast

from authlib.oauth2.rfc6749 import InvalidGrantError, grants

from idp.domain.accounts.users import User
from idp.domain.errors import InvalidToken
from idp.domain.sessions.sessions import Session, SessionState
from idp.domain.tokens.scopes import wire
from idp.services.tokens.access_tokens import Subject
from idp.services.tokens.authlib_bridge import hook
from idp.services.tokens.grants import Grant
from idp.services.tokens.id_tokens import tells_more
from idp.services.tokens.presented_token import AuthlibRefreshToken

NO_LONGER_VALID = "The refresh token is invalid, expired, revoked or was issued to another client."


class RefreshTokenGrant(Grant, grants.RefreshTokenGrant):  # type: ignore[misc]
    INCLUDE_NEW_REFRESH_TOKEN = True

    async def authenticate_refresh_token(self, refresh_token: str) -> AuthlibRefreshToken:
        try:
            presented = await self.server.sessions.present(refresh_token, self.registered.client_id)
        except InvalidToken as refusal:
            raise InvalidGrantError(NO_LONGER_VALID) from refusal
        self.require_verified(presented.state.email_verified)
        return AuthlibRefreshToken(presented)

    def authenticate_user(self, refresh_token: AuthlibRefreshToken) -> SessionState:
        """Read together with the session: the user's present state, so that a disabled user or changed role counts now."""
        return refresh_token.presented.state

    @property
    def session(self) -> Session:
        return cast("AuthlibRefreshToken", self.request.refresh_token).presented.state.session

    def allowed_scope(self) -> str:
        """The scope of the family, also after a refresh that asked for less; and never more than the client has now."""
        return wire(scope for scope in self.session.scope.split() if scope in self.registered.scopes)

    def default_scope(self) -> str:
        """All that the family still may have, what was asked for by name included."""
        return self.allowed_scope()

    def issue_token(self, user: SessionState, refresh_token: AuthlibRefreshToken) -> dict[str, Any]:
        """
        Asked for no scope, all that the family still may have. The new refresh token keeps the family's (section 6).

        With an ID token where the session began with one (OpenID Connect Core, section 12.2): of the same sign-in, so with
        its `auth_time`, and without a nonce. A client that handed over a password has none to renew.
        """
        token = self.generate_token(user=user, scope=self.request.payload.scope)
        if self.session.browser_session_id is not None and "openid" in token["scope"].split():
            token["id_token"] = self.server.id_tokens.issue(
                self.session,
                self.registered,
                access_token=token["access_token"],
                scope=token["scope"],
                user=self.present_user(),
            )
        return token

    @hook
    async def present_user(self) -> User | None:
        """Only where the ID token is to say more of the user than who it is: nothing else is read for that."""
        if not tells_more(self.session, self.registered):
            return None
        return await self.server.users.find(self.session.user_id)

    def subject(self, user: SessionState, scope: str) -> Subject:
        session = user.session
        asked_user = session.user_id if session.browser_session_id is not None else None
        audience = self.audience_within(session.audience, scope=scope, asked_user=asked_user)
        return Subject.of(session, user.roles, scope=scope, audience=audience)

    def revoke_old_credential(self, refresh_token: AuthlibRefreshToken) -> None:
        """Nothing left to do: `AuthorizationServer.save_token` rotated the family."""
