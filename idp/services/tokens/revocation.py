"""
A client gives a token back (RFC 7009).

    access token    its `jti` is revoked: this server refuses it at once, and introspection tells resource servers
    refresh token   its session ends, and with it every token of the session

What is no token, no longer one, or another client's changes nothing and is answered alike: the client learns nothing of it,
and has reached what it wanted (section 2.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog

from idp.domain.audit.events import AccessTokenRevoked
from idp.domain.clients.clients import Client
from idp.domain.errors import InvalidToken
from idp.domain.sessions.sessions import RevokedReason
from idp.domain.tokens.refresh_tokens import PREFIX
from idp.domain.tokens.revoked_tokens import RevokedTokens
from idp.services.clients.client_authentication import METHODS
from idp.services.sessions.sessions import SessionService
from idp.services.tokens.access_tokens import LEEWAY, AccessTokens
from idp.services.tokens.authorization_server import Answer
from idp.services.tokens.client_calls import ClientCalls

log = structlog.get_logger("idp.revocation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    calls: ClientCalls
    access_tokens: AccessTokens
    revoked_tokens: RevokedTokens
    sessions: SessionService

    async def answer(
        self, fields: Sequence[tuple[str, str]], headers: Mapping[str, str], *, address: str = "unknown"
    ) -> Answer:
        """Of `ClientCalls.serve`: 200 without a body once the token has ended, durably. A public client needs no proof."""
        return await self.calls.serve(fields, headers, self._revoke, methods=METHODS, address=address)

    async def _revoke(self, client: Client, token: str) -> None:
        if token.startswith(PREFIX):
            await self.sessions.end(token, client.client_id, RevokedReason.TOKEN_REVOKED)
            return
        try:
            claims = self.access_tokens.read(token)
        except InvalidToken as refusal:
            log.info("revocation_of_no_token", client_id=client.client_id, reason=str(refusal))
            return
        if claims.get("client_id") != client.client_id:
            log.warning("revocation_of_another_clients_token", client_id=client.client_id, of=claims.get("client_id"))
            return
        until = datetime.fromtimestamp(claims["exp"] + LEEWAY, UTC)
        await self.revoked_tokens.add(claims["jti"], until, _event(claims))


def _event(claims: Mapping[str, Any]) -> AccessTokenRevoked:
    session_id = claims.get("sid")
    return AccessTokenRevoked(
        user_id=UUID(claims["sub"]) if session_id else None,
        client_id=claims["client_id"],
        session_id=UUID(session_id) if session_id else None,
    )
