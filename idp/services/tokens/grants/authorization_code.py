"""RFC 6749, section 4.1.3, with PKCE (RFC 7636); with `openid` an ID token (OpenID Connect Core, section 3.1.3)."""

from __future__ import annotations

from typing import Any, cast

from authlib.oauth2.rfc6749 import InvalidGrantError, grants

from idp.domain.accounts.users import User
from idp.domain.errors import InvalidToken
from idp.services.tokens.access_tokens import Subject
from idp.services.tokens.authorization_codes import PresentedCode
from idp.services.tokens.grants import Grant

NOT_VALID = (
    "The code is invalid, expired, used already or was issued for another client, redirect_uri or code_verifier."
)


class AuthlibCode:
    """A presented code under the names by which Authlib asks."""

    __slots__ = ("presented",)

    def __init__(self, presented: PresentedCode) -> None:
        self.presented = presented

    def get_redirect_uri(self) -> None:
        """Compared already, when the code was presented."""

    def get_scope(self) -> str:
        return self.presented.grant.scope


class AuthorizationCodeGrant(Grant, grants.AuthorizationCodeGrant):  # type: ignore[misc]
    async def query_authorization_code(self, code: str, client: Any) -> AuthlibCode:
        form = self.request.form
        try:
            presented = await self.server.codes.present(
                code,
                client.get_client_id(),
                redirect_uri=form.get("redirect_uri"),
                code_verifier=form.get("code_verifier"),
            )
        except InvalidToken as refusal:
            raise InvalidGrantError(NOT_VALID) from refusal
        self.request.code = presented
        return AuthlibCode(presented)

    async def authenticate_user(self, authorization_code: AuthlibCode) -> User:
        """The user as he is now: not one who was disabled or signed out everywhere since the code was issued."""
        grant = authorization_code.presented.grant
        user = await self.server.users.find(grant.user_id)
        if user is None or not user.active or user.auth_epoch != grant.auth_epoch:
            raise InvalidGrantError(NOT_VALID)
        self.require_verified(user.email_verified)
        return user

    def default_scope(self) -> str:
        """The code's, even if it is for none: what the client may have besides, no user was asked for."""
        return self._presented.grant.scope

    def generate_token(self, user: Any = None, scope: str | None = None, **_: Any) -> dict[str, Any]:
        token = super().generate_token(user=user, scope=scope)
        if "openid" in token["scope"].split():
            session = self.request.session
            assert session is not None  # noqa: S101 - `subject` has made it
            token["id_token"] = self.server.id_tokens.issue(
                session,
                self.registered,
                access_token=token["access_token"],
                nonce=self._presented.grant.nonce,
                scope=token["scope"],
                user=user,
            )
        return token

    def subject(self, user: User, scope: str) -> Subject:
        grant = self._presented.grant
        audience = self.audience_within(grant.audience, scope=scope, asked_user=user.id)
        session = self.server.new_session(user, self.registered, scope=scope, audience=audience, grant=grant)
        self.request.session = session
        return Subject.of(session, user.roles)

    def delete_authorization_code(self, authorization_code: AuthlibCode) -> None:
        """Nothing left to do: `AuthorizationServer.save_token` redeemed it."""

    @property
    def _presented(self) -> PresentedCode:
        return cast("PresentedCode", self.request.code)
