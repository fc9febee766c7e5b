"""
ID tokens (OpenID Connect Core, section 2): who signed in, when and how, for one client.

Claims `iss sub aud azp exp iat auth_time acr amr sid at_hash`, `nonce` when the request had one, and those that the client
asked for by name. What a scope stands for is at the userinfo endpoint (section 5.4); it is here as well for a client that is
registered with `id_token_claims`, since some libraries (Auth.js) never call that endpoint.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import import_key

from idp.domain.accounts.users import User
from idp.domain.clients.clients import Client
from idp.domain.operation.signing_keys import SigningKeys
from idp.domain.sessions.sessions import Session
from idp.domain.sign_in.authorization import PASSWORD_ACR
from idp.domain.tokens.claims import claims_for
from idp.services.clients.signatures import Algorithms

# Of no other JWT of this server. Signed userinfo had it once: `_check_claims` tells those apart.
TYPE = "JWT"
# Of the hash whose first half is `at_hash`: that of the signature (OpenID Connect Core, section 3.1.3.6).
HASHES: Mapping[str, Callable[[bytes], Any]] = {
    "RS256": hashlib.sha256,
    "PS256": hashlib.sha256,
    "ES256": hashlib.sha256,
    "EdDSA": hashlib.sha512,
}
LONGEST_HINT = 8000


@dataclass(frozen=True, slots=True)
class Hint:
    """What an authentic ID token says of the sign-in that it was made for; it may have expired since."""

    subject: str
    client_id: str
    session_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdTokens:
    keys: SigningKeys = field(repr=False)
    issuer: str
    lifetime: timedelta
    now: Callable[[], datetime]

    def issue(
        self,
        session: Session,
        client: Client,
        *,
        access_token: str,
        nonce: str | None = None,
        scope: str = "",
        user: User | None = None,
    ) -> str:
        """
        The compact JWS, signed as the client is registered. *user*: for claims beside who it is; see `tells_more`.

        *scope*: that of the access token, whose claims are told if the client is registered for it.
        """
        algorithm, issued_at = client.id_token_signed_response_alg, int(self.now().timestamp())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": str(session.user_id),
            "aud": client.client_id,
            "azp": client.client_id,
            "exp": issued_at + int(self.lifetime.total_seconds()),
            "iat": issued_at,
            "auth_time": int(session.auth_time.timestamp()),
            "acr": PASSWORD_ACR,
            "amr": list(session.amr),
            "sid": str(session.id),
            "at_hash": half_hash(access_token, algorithm),
        }
        if nonce is not None:
            claims["nonce"] = nonce
        if user is not None:
            claims |= claims_for(user, scope.split() if client.id_token_claims else (), named_claims(session))
        return self.keys.sign(orjson.dumps(claims), typ=TYPE, algorithm=algorithm)

    def hint(self, presented: str) -> Hint | None:
        """
        What `id_token_hint` says; None unless it is an ID token that this server signed, with a key that is not withdrawn.

        An expired one counts (OpenID Connect Core, section 3.1.2.1; RP-Initiated Logout 1.0, section 2), also after its key
        has left the JWKS: a sign-in in a browser may live longer than that.
        """
        try:
            claims = self._verified(presented)
            self._check_claims(claims)
        except (JoseError, ValueError, UnicodeError, TypeError, KeyError, RecursionError, StopIteration):
            return None
        session_id = claims.get("sid")
        return Hint(claims["sub"], claims["aud"], session_id if isinstance(session_id, str) else None)

    def _check_claims(self, claims: Mapping[str, Any]) -> None:
        """Those that every ID token has (section 2). A JWT of another kind lacks some, whatever its type."""
        texts, instants = (claims[name] for name in ("iss", "sub", "aud")), (claims[name] for name in ("iat", "exp"))
        if claims["iss"] != self.issuer or not all(isinstance(text, str) for text in texts):
            raise ValueError("not an ID token of this issuer, for one client")
        if not all(isinstance(at, int) and not isinstance(at, bool) for at in instants):
            raise ValueError("not an ID token: no time of its own")

    def _verified(self, presented: str) -> dict[str, Any]:
        if len(presented) > LONGEST_HINT:
            raise ValueError("too long")
        header = jws.extract_compact(presented.encode("ascii")).headers()
        if header.keys() != {"alg", "typ", "kid"} or header["typ"] != TYPE:
            raise ValueError("not an ID token")
        key = next(key for key in self.keys.trusted_for_hints() if key["kid"] == header["kid"])
        verified = jws.deserialize_compact(
            presented, import_key(dict(key)), registry=Algorithms(algorithms=[key["alg"]])
        )
        claims = orjson.loads(verified.payload or b"")
        if not isinstance(claims, dict):
            raise TypeError("no claims")
        return claims


def tells_more(session: Session, client: Client) -> bool:
    """Whether ID tokens hold claims for which the user is looked up."""
    return client.id_token_claims or bool(named_claims(session))


def named_claims(session: Session) -> Mapping[str, Any]:
    """Those that the client wants in its ID tokens, by name (OpenID Connect Core, section 5.5)."""
    return (session.requested_claims or {}).get("id_token") or {}


def half_hash(text: str, algorithm: str) -> str:
    """The left half of the digest in base64url."""
    digest: bytes = HASHES[algorithm](text.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode("ascii")
