"""Access tokens as a forger would make them, and as one with the server's own key could."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from world import Tokens, World

Headers = dict[str, Any]


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Forger:
    """Has a genuine token, and for some tests the server's own key, which no forger has."""

    def __init__(self, genuine: str, own_key: jwt.PyJWK, public: jwt.PyJWK) -> None:
        self.genuine = genuine
        self.header: Headers = jwt.get_unverified_header(genuine)
        self.claims: dict[str, Any] = jwt.decode(genuine, options={"verify_signature": False})
        self.own_key = own_key
        self.public = public
        self.foreign_key: RSAPrivateKey = generate_private_key(65537, 2048)

    def signed(self, header: Headers | None = None, claims: Any = None, key: Any = None, alg: str = "RS256") -> str:
        header = self.header | {"alg": alg} if header is None else header
        claims = self.claims if claims is None else claims
        signing = f"{encoded(header)}.{encoded(claims)}"
        signature = jwt.get_algorithm_by_name(alg).sign(signing.encode(), key or self.own_key.key)
        return f"{signing}.{encoded(signature)}"

    def with_claims(self, **changed: Any) -> str:
        """Signed with the server's own key; a claim that is None is left out."""
        claims = {name: value for name, value in (self.claims | changed).items() if value is not None}
        return self.signed(claims=claims)

    def under_hmac(self, secret: bytes) -> str:
        signing = f"{encoded(self.header | {'alg': 'HS256'})}.{encoded(self.claims)}"
        return f"{signing}.{encoded(hmac.new(secret, signing.encode(), hashlib.sha256).digest())}"


async def forger_of(world: World, tokens: Tokens) -> Forger:
    kid = jwt.get_unverified_header(tokens.access_token)["kid"]
    private = json.loads((world.settings.keys_dir / f"{kid}.json").read_text())
    keys = (await world.http.get("/.well-known/jwks.json")).json()
    return Forger(tokens.access_token, jwt.PyJWK(private), jwt.PyJWKSet.from_dict(keys)[kid])


def is_refusal(answer: httpx.Response) -> bool:
    """RFC 6750, section 3.1. UI5."""
    assert answer.status_code == 401, answer.text
    assert answer.json()["error"] == "invalid_token"
    assert answer.headers["www-authenticate"] == 'Bearer realm="idp", error="invalid_token"'
    return True


async def refused(world: World, forged: str) -> bool:
    return is_refusal(await world.profile(forged))
