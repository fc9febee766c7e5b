"""
Authlib's authorization server, with storage behind its hooks.

One place looks clients up, one place issues (`Grant.generate_token`), one place commits (`save_token`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from authlib.oauth2 import AuthorizationServer as AuthlibServer
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidClientError, InvalidGrantError

from idp.domain.accounts.users import User, Users
from idp.domain.clients.clients import PRIVATE_KEY_JWT, Client, Clients
from idp.domain.errors import InvalidCredentials, InvalidToken
from idp.domain.sessions.sessions import Session
from idp.domain.sign_in.consents import Consents
from idp.domain.tokens.authorization_codes import AuthorizedGrant
from idp.services.clients.client_assertions import ClientAssertions
from idp.services.clients.client_authentication import (
    REGISTERED_FOR,
    AuthlibClient,
    ClientRefused,
    authenticate_basic,
    claimed_client_id,
    presented_method,
    presented_secret,
)
from idp.services.operation.rate_limiter import RateLimiter
from idp.services.sessions.sessions import SessionService
from idp.services.sign_in.login import Login
from idp.services.tokens.access_tokens import AccessTokens
from idp.services.tokens.authlib_bridge import AsyncHooks, run
from idp.services.tokens.authorization_codes import CodeService
from idp.services.tokens.grants.authorization_code import NOT_VALID
from idp.services.tokens.grants.refresh_token import NO_LONGER_VALID
from idp.services.tokens.id_tokens import IdTokens
from idp.services.tokens.token_request import TokenRequest


@dataclass(frozen=True, slots=True)
class Answer:
    """
    *body* None: an empty one. *client* is the one that authenticated, if any did. *device_token* is for the device that
    signed in.
    """

    status: int
    body: dict[str, Any] | None
    headers: Sequence[tuple[str, str]]
    client: Client | None = None
    device_token: str | None = None


class AuthorizationServer(AsyncHooks, AuthlibServer):  # type: ignore[misc]
    def __init__(
        self,
        grants: Sequence[type],
        *,
        clients: Clients,
        sessions: SessionService,
        users: Users,
        consents: Consents,
        codes: CodeService,
        access_tokens: AccessTokens,
        id_tokens: IdTokens,
        login: Login,
        assertions: ClientAssertions,
        limiter: RateLimiter,
        now: Callable[[], datetime],
        on_issued: Callable[[str], None],
    ) -> None:
        """*on_issued* is told the grant of each answer with tokens."""
        super().__init__()
        self.clients = clients
        self.sessions = sessions
        self.users = users
        self.consents = consents
        self.codes = codes
        self.access_tokens = access_tokens
        self.id_tokens = id_tokens
        self.login = login
        self.limiter = limiter
        self._now = now
        self._on_issued = on_issued
        self.register_client_auth_method(PRIVATE_KEY_JWT, assertions.authenticate)
        self.register_client_auth_method("client_secret_basic", authenticate_basic)
        for grant in grants:
            self.register_grant(grant)

    @property
    def grant_types(self) -> list[str]:
        return [grant.GRANT_TYPE for grant, _ in self._token_grants]

    async def token(
        self,
        fields: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        *,
        address: str = "unknown",
        device_token: str | None = None,
    ) -> Answer:
        """
        RFC 6749, section 3.2: *fields* of the form, *headers* with at most `Authorization`. *address* is the caller's.

        Raises `TooMany` and `Unavailable`: of a refresh the same token may be presented again. Every other outcome is an answer.
        """
        request = TokenRequest(fields, headers, address=address, device_token=device_token)
        try:
            request.check()
        except OAuth2Error as error:
            status, body, extra = error()
            return Answer(status, dict(body), extra)
        status, body, extra = await run(self.create_token_response, request)
        if request.guessed:
            await self.limiter.take_failed_client(address, claimed_client_id(request))
        client = request.client.client if request.client else None
        device = request.device.token if request.device and status == 200 else None
        return Answer(status, dict(body), extra, client, device)

    def new_session(
        self, user: User, client: Client, *, scope: str, audience: str | None, grant: AuthorizedGrant | None = None
    ) -> Session:
        """One that gives no refresh tokens lives as long as its access token. *grant*: of the code that it begins with."""
        refreshable = "refresh_token" in client.grant_types
        lifetime = None if refreshable else timedelta(seconds=self.access_tokens.lifetime)
        session = self.sessions.new(user, client, scope=scope, audience=audience, lifetime=lifetime)
        if grant is None:
            return session
        return replace(
            session,
            auth_time=grant.auth_time,
            amr=grant.amr,
            browser_session_id=grant.browser_session_id,
            requested_claims=grant.requested_claims,
        )

    # What Authlib calls.

    async def query_client(self, client_id: str) -> AuthlibClient | None:
        client = await self.clients.find(client_id)
        return AuthlibClient(client, self._now) if client is not None and client.enabled else None

    def authenticate_client(
        self, request: TokenRequest, methods: Sequence[str], endpoint: str = "token"
    ) -> AuthlibClient:
        try:
            client = self._authenticated(request, methods, endpoint)
        except ClientRefused as refusal:
            refusal.challenged = "Authorization" in request.headers
            request.guessed = not refusal.proved
            raise
        # Known to the answer even when the rest of the request is refused: its pages may read the error (CORS).
        request.client = client
        return client

    def _authenticated(self, request: TokenRequest, methods: Sequence[str], endpoint: str) -> AuthlibClient:
        method = presented_method(request)
        if method not in methods:
            raise ClientRefused
        try:
            client: AuthlibClient = super().authenticate_client(request, [method], endpoint)
        except ClientRefused:
            raise
        except InvalidClientError as error:
            raise ClientRefused(self._other_way(request, method)) from error
        return client

    def _other_way(self, request: TokenRequest, method: str) -> str | None:
        """What to tell a client that has sent its own secret, but not in the way it is registered for."""
        other = {"client_secret_basic": "client_secret_post", "client_secret_post": "client_secret_basic"}.get(method)
        secret = presented_secret(request) if other else None
        query: Any = self.query_client  # synchronous here: Authlib calls back the same way
        client: AuthlibClient | None = query(request.form.get("client_id", "")) if secret else None
        if client is None or other is None or secret is None or not client.check_client_secret(secret):
            return None
        return REGISTERED_FOR[other] if client.check_endpoint_auth_method(other, "token") else None

    async def save_token(self, token: dict[str, Any], request: TokenRequest) -> None:
        """The one write of a token request: a session started, or its refresh token rotated, in one atomic step."""
        try:
            if request.refresh_token is not None:
                token["refresh_token"] = await self.sessions.rotate(request.refresh_token.presented)
            elif request.session is not None:
                if request.code is not None:
                    await self.codes.redeem(request.code, request.session.id)
                refreshable = request.client.check_grant_type("refresh_token")
                consented_at = request.code.grant.consented_at if request.code is not None else None
                refresh_token = await self.sessions.start(
                    request.session, refreshable=refreshable, consented_at=consented_at
                )
                if request.code is not None:
                    await self.codes.started(request.code, request.session.id)
                if refresh_token is not None:
                    token["refresh_token"] = refresh_token
        except InvalidToken as refusal:
            raise InvalidGrantError(NOT_VALID if request.code is not None else NO_LONGER_VALID) from refusal
        except InvalidCredentials as refusal:
            raise InvalidGrantError(NOT_VALID if request.code is not None else refusal.detail) from refusal
        self._on_issued(request.form["grant_type"])

    def create_oauth2_request(self, request: TokenRequest) -> TokenRequest:
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> tuple[int, Any, Any]:
        return status, body, headers

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""
