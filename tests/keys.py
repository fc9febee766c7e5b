"""Keys of clients, as JWKs."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

KINDS: dict[str, Any] = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "EC": lambda: ec.generate_private_key(ec.SECP256R1()),
    "OKP": ed25519.Ed25519PrivateKey.generate,
}
ENCODERS: dict[str, Any] = {
    "RSA": jwt.algorithms.RSAAlgorithm.to_jwk,
    "EC": jwt.algorithms.ECAlgorithm.to_jwk,
    "OKP": jwt.algorithms.OKPAlgorithm.to_jwk,
}
OF_ALGORITHM = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}


@dataclass(frozen=True)
class Key:
    private: Any
    kid: str
    kind: str

    @property
    def public(self) -> dict[str, Any]:
        return encoded(self.private.public_key(), self.kind) | {"kid": self.kid}

    @property
    def whole(self) -> dict[str, Any]:
        """For the client alone."""
        return encoded(self.private, self.kind) | {"kid": self.kid}


def new_key(algorithm: str = "ES256") -> Key:
    kind = OF_ALGORITHM[algorithm]
    return Key(KINDS[kind](), secrets.token_hex(4), kind)


def key_set(*keys: Key) -> dict[str, Any]:
    return {"keys": [key.public for key in keys]}


def encoded(key: Any, kind: str) -> dict[str, Any]:
    """A JWK without `key_ops`."""
    jwk: dict[str, Any] = json.loads(ENCODERS[kind](key))
    jwk.pop("key_ops", None)
    return jwk
