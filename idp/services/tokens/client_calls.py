"""
What a client asks about a token that it holds: the phases that revocation and introspection share.

The client proves itself as at the token endpoint, with the same answers when it fails. `token_type_hint` is not looked at: our
tokens tell their type by themselves, and a wrong or unknown hint must not matter (RFC 7009, section 2.1).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError

from idp.domain.clients.clients import Client
from idp.domain.operation.limits import Category
from idp.services.clients.client_authentication import claimed_client_id
from idp.services.operation.rate_limiter import RateLimiter
from idp.services.tokens.authlib_bridge import run
from idp.services.tokens.authorization_server import Answer, AuthorizationServer
from idp.services.tokens.token_request import TokenRequest

# Asked for by *client* about *token*; gives the body of the answer, None for an empty one.
Work = Callable[[Client, str], Awaitable[dict[str, Any] | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCalls:
    server: AuthorizationServer
    limiter: RateLimiter

    async def serve(
        self,
        fields: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        work: Work,
        *,
        methods: Sequence[str],
        address: str,
    ) -> Answer:
        """
        *methods*: the ways to authenticate. Raises `TooMany` and `Unavailable`.

        Every other outcome is an answer.
        """
        request = TokenRequest(fields, headers, address=address)
        try:
            client = await self._authenticated(request, methods)
            token = request.form.get("token")
            if token is None:
                raise InvalidRequestError("The parameter token is missing.")
        except OAuth2Error as error:
            return await self._refused(error, request)
        if not client.public:
            # Whoever knows a public client's name could use up its limit.
            await self.limiter.take(Category.CLIENT, client.client_id)
        return Answer(200, await work(client, token), (), client)

    async def _authenticated(self, request: TokenRequest, methods: Sequence[str]) -> Client:
        request.check_repeated()
        authenticated = await run(self.server.authenticate_client, request, methods)
        client: Client = authenticated.client
        return client

    async def _refused(self, error: OAuth2Error, request: TokenRequest) -> Answer:
        if request.guessed:
            await self.limiter.take_failed_client(request.address, claimed_client_id(request))
        status, body, extra = error()
        return Answer(status, dict(body), extra, request.client.client if request.client else None)
