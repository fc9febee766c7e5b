"""
An access token verified with the published keys, by the standard library alone.

RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2.2) needs no secret, so plain integers do. For a smoke test, not for
an API that lets people in.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any

SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")


class Unverified(Exception):
    """The text says why, and holds nothing of the token."""


def claims(token: str, jwks: dict[str, Any]) -> dict[str, Any]:
    """Those of a JWT in force. Raises `Unverified`."""
    try:
        head, body, signature = token.split(".")
        header, told = json.loads(_bytes(head)), json.loads(_bytes(body))
        key = next((key for key in jwks.get("keys", []) if key.get("kid") == header.get("kid")), None)
        if key is None or header.get("alg") != "RS256":
            raise Unverified("no published key for the token")
        if not _signed(f"{head}.{body}".encode(), _bytes(signature), _number(key["n"]), _number(key["e"])):
            raise Unverified("the signature of the token is wrong")
        if not told["iat"] - 60 <= time.time() < told["exp"]:
            raise Unverified("the token is not in force")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unverified("the answer holds no token that can be read") from None
    return told


def _signed(message: bytes, signature: bytes, modulus: int, exponent: int) -> bool:
    size = (modulus.bit_length() + 7) // 8
    digest = SHA256_PREFIX + hashlib.sha256(message).digest()
    expected = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
    return len(signature) == size and pow(int.from_bytes(signature), exponent, modulus) == int.from_bytes(expected)


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text))
