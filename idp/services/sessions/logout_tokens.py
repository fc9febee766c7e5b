"""
Logout tokens (OpenID Connect Back-Channel Logout 1.0, section 2.4).

Claims `iss sub aud iat exp jti events sid`, never a `nonce`, and a type of their own: what takes ID tokens or access tokens
takes none of these, here and at clients that look at `typ`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

import orjson

from idp.domain.clients.clients import Client
from idp.domain.operation.signing_keys import SigningKeys
from idp.domain.sessions.logout_notices import LogoutNotice

TYPE = "logout+jwt"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
LIFETIME = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutTokens:
    keys: SigningKeys = field(repr=False)
    issuer: str
    now: Callable[[], datetime]

    def issue(self, notice: LogoutNotice, client: Client) -> str:
        """The compact JWS, signed as the client's ID tokens are. Raises `Unavailable` without a key that may sign so."""
        issued_at = int(self.now().timestamp())
        claims = {
            "iss": self.issuer,
            "sub": str(notice.user_id),
            "aud": client.client_id,
            "iat": issued_at,
            "exp": issued_at + int(LIFETIME.total_seconds()),
            "jti": str(uuid4()),
            "events": {EVENT: {}},
            "sid": str(notice.session_id),
        }
        return self.keys.sign(orjson.dumps(claims), typ=TYPE, algorithm=client.id_token_signed_response_alg)
