"""Clients that prove themselves by a key, and what they sign (RFC 7523)."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
from forger import encoded
from world import World

from keys import Key, key_set, new_key

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Service:
    """A client with a key. *issuer* is whom it speaks to."""

    client_id: str
    key: Key
    issuer: str
    algorithm: str = "ES256"

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        standard = {"iss": self.client_id, "sub": self.client_id, "aud": self.issuer, "iat": now, "exp": now + 60}
        claims = standard | {"jti": secrets.token_hex(16)} | changed
        return {name: value for name, value in claims.items() if value is not ...}

    def signed(self, claims: dict[str, Any] | None = None, **header: Any) -> str:
        return self.raw(json.dumps(self.claims() if claims is None else claims).encode(), **header)

    def raw(self, payload: bytes, *, key: Any = None, algorithm: str | None = None, **header: Any) -> str:
        name = algorithm or self.algorithm
        head = {"alg": name, "typ": "JWT", "kid": self.key.kid} | header
        signing = f"{encoded({it: value for it, value in head.items() if value is not ...})}.{encoded(payload)}"
        signature = jwt.get_algorithm_by_name(name).sign(signing.encode(), key or self.key.private)
        return f"{signing}.{encoded(signature)}"


async def service(world: World, algorithm: str = "ES256", **properties: Any) -> Service:
    key = new_key(algorithm)
    given = {"jwks": key_set(key), "auth_method": "private_key_jwt", "secrets": ()} | properties
    client = await world.client(grant_types=("client_credentials", "password", "refresh_token"), **given)
    return Service(client.client_id, key, world.settings.issuer, algorithm)


async def asked(world: World, assertion: str, **fields: str) -> httpx.Response:
    presented = {"client_assertion_type": JWT_BEARER, "client_assertion": assertion}
    return await world.token(**{"grant_type": "client_credentials"} | presented | fields)
