"""
Who the user of an access token is, for the client that holds it (OpenID Connect Core, section 5.3).

What is told follows from the scope of that token, the claims that its client asked for by name, and the user as of now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from idp.domain.accounts.users import Profiles
from idp.domain.clients.clients import Client, Clients
from idp.domain.errors import InsufficientScope, InvalidToken
from idp.domain.operation.limits import Category
from idp.domain.operation.signing_keys import SigningKeys
from idp.domain.sessions.sessions import SessionState
from idp.domain.tokens.claims import claims_for
from idp.services.operation.rate_limiter import RateLimiter
from idp.services.tokens.access_tokens import AccessTokens

# Of no RFC, and of this answer alone: it names a user and a client, and must not pass for an ID token (RFC 8725, section 3.11).
TYPE = "userinfo+jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInfo:
    access_tokens: AccessTokens
    profiles: Profiles
    clients: Clients
    keys: SigningKeys
    limiter: RateLimiter
    issuer: str

    async def of(self, presented: str) -> dict[str, Any] | str:
        """
        The claims; for a client that has `userinfo_signed_response_alg`, as a JWT in compact form (section 5.3.2).

        Raises `InvalidToken`, and `InsufficientScope` for a token without the scope openid or without a user; `RateLimited`,
        counted per user and client, so that no client uses up the calls of another.
        """
        live = await self.access_tokens.live(presented)
        if live.state is None or "openid" not in live.scopes:
            raise InsufficientScope
        session = live.state.session
        await self.limiter.take(Category.API, f"{session.user_id} {session.client_id}")
        user = await self.profiles.find(live.state.session.user_id, live.state.user_updated_at)
        client = await self.clients.find(live.state.session.client_id)
        if user is None or client is None or not client.enabled:
            raise InvalidToken(reason="the user or the client is gone")
        claims = {"sub": str(user.id), **claims_for(user, live.scopes, _requested(live.state))}
        algorithm = client.userinfo_signed_response_alg
        return self._signed(claims, client, algorithm) if algorithm else claims

    def _signed(self, claims: Mapping[str, Any], client: Client, algorithm: str) -> str:
        payload = orjson.dumps({"iss": self.issuer, "aud": client.client_id, **claims})
        return self.keys.sign(payload, typ=TYPE, algorithm=algorithm)


def _requested(state: SessionState) -> Mapping[str, Any] | None:
    """By name, for this answer (section 5.5)."""
    section = (state.session.requested_claims or {}).get("userinfo")
    return section if isinstance(section, Mapping) else None
