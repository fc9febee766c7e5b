"""
The keys with which clients sign: JWK Sets (RFC 7517) of public keys, for the algorithms that this server verifies.

What a client registers is checked here, and so is what it serves at its `jwks_uri`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

Jwk = Mapping[str, Any]

# Algorithm → type of its key.
KEY_TYPES = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
ALGORITHMS = tuple(KEY_TYPES)

MOST_KEYS = 20
LONGEST_SET = 32 * 1024  # characters of JSON
LONGEST_KID = 200
LARGEST_NUMBER = 2**53
FEWEST_BITS, MOST_BITS = 2048, 8192  # beyond these a signature is weak, or costs more than it is worth
PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
# P-256 (FIPS 186-5): y² = x³ - 3x + b over a field of p elements.
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


def jwks_fault(jwks: Mapping[str, Any]) -> str | None:
    """Why a client cannot have *jwks*, or None."""
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not 1 <= len(keys) <= MOST_KEYS:
        return f"a JWK Set: an object with `keys`, a list of 1 to {MOST_KEYS} public keys"
    if not all(_plain(value) for name, value in jwks.items() if name != "keys"):
        return "beside `keys` only texts, whole numbers and truth values"
    for place, key in enumerate(keys):
        if why := key_fault(key):
            return f"key {place + 1}: {why}"
    text = json.dumps(jwks, ensure_ascii=False)
    if len(text) > LONGEST_SET or "\\u0000" in text or any("\ud800" <= character <= "\udfff" for character in text):
        return f"at most {LONGEST_SET} characters, no NUL and no half a surrogate pair among them"
    kids = [key["kid"] for key in keys if "kid" in key]
    return "two keys have the same kid" if len(set(kids)) < len(kids) else None


def key_fault(key: Any) -> str | None:
    """Why *key* is none that this server verifies with, or None."""
    if not isinstance(key, Mapping):
        return "not an object"
    if why := _member_fault(key):
        return why
    kind = key.get("kty")
    check = CHECKS.get(kind) if isinstance(kind, str) else None
    if check is None:
        return "kty is RSA, EC or OKP"
    if "alg" in key and key.get("use") != "enc" and KEY_TYPES.get(str(key["alg"])) != kind:
        return f"alg is one of {', '.join(ALGORITHMS)}, and that of such a key"
    return check(key)


def _member_fault(key: Jwk) -> str | None:
    if PRIVATE & key.keys():
        return "holds a private or secret member: make a new key, and register its public half only"
    if not all(map(_plain, key.values())):
        return "a member is neither a text, a whole number or a truth value nor a list of texts"
    if not _has_text(key, "kid", LONGEST_KID) or key.get("use", "sig") not in ("sig", "enc"):
        return "kid is a text, use is sig or enc"
    return None


def keys_for(keys: list[Jwk], algorithm: str, kid: str | None) -> list[Jwk]:
    """Those that may have made a signature with this header. *kid* None: the header names none."""
    return [
        key
        for key in keys
        if key["kty"] == KEY_TYPES[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (kid is None or key.get("kid") == kid)
    ]


def names_of_keys(jwks: Mapping[str, Any] | None) -> list[str] | None:
    """Of each key its `kid` and a digest of the whole, for a trail: the same only while nothing of it has changed."""
    if jwks is None:
        return None
    return [f"{key.get('kid', '-')} {_digest(key)}" for key in jwks["keys"]]


def _digest(key: Jwk) -> str:
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]


def _rsa_fault(key: Jwk) -> str | None:
    modulus, exponent = _number(key.get("n")), _number(key.get("e"))
    if modulus is None or exponent is None or modulus % 2 == 0 or not 3 <= exponent < 2**32 or exponent % 2 == 0:
        return "n and e are not those of an RSA key"
    bits = modulus.bit_length()
    return None if FEWEST_BITS <= bits <= MOST_BITS else f"{bits} bits: an RSA key has {FEWEST_BITS} to {MOST_BITS}"


def _ec_fault(key: Jwk) -> str | None:
    x, y = (_number(key.get(name), length=32) for name in ("x", "y"))
    if key.get("crv") != "P-256" or x is None or y is None:
        return "an EC key is a point of P-256"
    on_the_curve = x < P and y < P and (y * y - (x * x * x - 3 * x + B)) % P == 0
    return None if on_the_curve else "x and y are no point of P-256"


def _okp_fault(key: Jwk) -> str | None:
    known = key.get("crv") == "Ed25519" and _number(key.get("x"), length=32) is not None
    return None if known else "an OKP key is an x of Ed25519"


CHECKS: Mapping[str, Callable[[Jwk], str | None]] = {"RSA": _rsa_fault, "EC": _ec_fault, "OKP": _okp_fault}


def _plain(value: Any) -> bool:
    """What registered members of a key are (RFC 7517), and every store and reader of JSON takes as it is."""
    if isinstance(value, list):
        return all(isinstance(entry, str) for entry in value)
    return isinstance(value, str) or (isinstance(value, int) and abs(value) < LARGEST_NUMBER)


def _has_text(key: Jwk, name: str, longest: int) -> bool:
    value = key.get(name, "-")
    return isinstance(value, str) and 1 <= len(value) <= longest and value.isprintable()


def _number(text: Any, *, length: int | None = None) -> int | None:
    """From base64url without padding; *length* in bytes, where it is fixed."""
    if not isinstance(text, str) or not text.isascii() or "=" in text or "+" in text or "/" in text:
        return None
    try:
        octets = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return None
    return int.from_bytes(octets) if octets and length in (None, len(octets)) else None
