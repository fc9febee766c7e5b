"""
What a token is worth now (RFC 7662): the present state of its session, user and client, not that of the time when it was made.

A client may ask about tokens that were issued to itself, and about access tokens for a resource that it is (`audiences`).
The issuer is the audience of every token for which no resource was asked: that makes nobody its reader. Whatever a client may
not know is inactive like what never was a token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from idp.domain.clients.clients import Client, Clients
from idp.domain.errors import InvalidToken
from idp.domain.sessions.sessions import SessionState
from idp.domain.tokens.refresh_tokens import PREFIX
from idp.services.clients.client_authentication import METHODS
from idp.services.sessions.sessions import Presented, SessionService
from idp.services.tokens.access_tokens import AccessTokens, LiveToken
from idp.services.tokens.authorization_server import Answer
from idp.services.tokens.client_calls import ClientCalls

CONFIDENTIAL = tuple(method for method in METHODS if method != "none")
INACTIVE = {"active": False}

# What an access token says of itself, as it is told.
TOLD = ("iss", "sub", "aud", "client_id", "exp", "iat", "jti", "scope", "sid", "auth_time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Introspection:
    calls: ClientCalls
    access_tokens: AccessTokens
    sessions: SessionService
    clients: Clients
    issuer: str
    now: Callable[[], datetime]

    async def answer(
        self, fields: Sequence[tuple[str, str]], headers: Mapping[str, str], *, address: str = "unknown"
    ) -> Answer:
        """Of `ClientCalls.serve`: the members of RFC 7662, section 2.2, or `{"active": false}` and nothing else."""
        return await self.calls.serve(fields, headers, self._inspect, methods=CONFIDENTIAL, address=address)

    async def _inspect(self, caller: Client, token: str) -> dict[str, Any]:
        if token.startswith(PREFIX):
            return await self._refresh_token(caller, token)
        try:
            live = await self.access_tokens.live(token, any_audience=True)
        except InvalidToken:
            return INACTIVE
        return await self._access_token(caller, live)

    async def _access_token(self, caller: Client, live: LiveToken) -> dict[str, Any]:
        claims = live.claims
        # A bearer token is taken for half a minute longer, for clocks that differ; who asks us trusts our clock.
        if claims["exp"] <= self.now().timestamp() or not self._may_read(caller, claims):
            return INACTIVE
        if not await self._is_enabled(claims.get("client_id")):
            return INACTIVE
        told = {name: claims[name] for name in TOLD if name in claims}
        return {"active": True, "token_type": "Bearer", **told, **_of_user(live.state, caller, claims)}

    async def _refresh_token(self, caller: Client, token: str) -> dict[str, Any]:
        found = await self.sessions.look(token)
        if found is None or found.state.session.client_id != caller.client_id:
            return INACTIVE
        return {
            "active": True,
            "token_type": "refresh_token",
            "iss": self.issuer,
            **_of_session(found, self.issuer, caller),
        }

    def _may_read(self, caller: Client, claims: Mapping[str, Any]) -> bool:
        if claims.get("client_id") == caller.client_id:
            return True
        audience = claims["aud"]
        named = set(audience if isinstance(audience, list) else [audience]) - {self.issuer}
        return not named.isdisjoint(caller.audiences)

    async def _is_enabled(self, client_id: Any) -> bool:
        client = await self.clients.find(client_id) if isinstance(client_id, str) else None
        return client is not None and client.enabled


def _of_user(state: SessionState | None, caller: Client, claims: Mapping[str, Any]) -> dict[str, Any]:
    """The address only for the client that the user signed in to."""
    if state is None:
        return {"roles": list(claims.get("roles", ()))}
    named = {"username": state.email} if claims.get("client_id") == caller.client_id else {}
    return {"roles": list(state.roles), **named}


def _of_session(found: Presented, issuer: str, caller: Client) -> dict[str, Any]:
    session = found.state.session
    return {
        "sub": str(session.user_id),
        "aud": session.audience or issuer,
        "client_id": session.client_id,
        "exp": int(session.expires_at.timestamp()),
        "iat": found.token.issued_at // 1000,
        "scope": session.scope,
        "sid": str(session.id),
        "auth_time": int(session.auth_time.timestamp()),
        **_of_user(found.state, caller, {"client_id": session.client_id}),
    }
