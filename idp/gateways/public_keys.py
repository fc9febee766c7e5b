"""Public keys as JWK: the halves that are kept of signing keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import import_key

# Of each algorithm, what its keys are and have (RFC 7518, section 6; RFC 8037).
RSA: Mapping[str, str | None] = {"kty": "RSA", "n": None, "e": None}
MEMBERS: Mapping[str, Mapping[str, str | None]] = {
    "RS256": RSA,
    "PS256": RSA,
    "ES256": {"kty": "EC", "crv": "P-256", "x": None, "y": None},
    "EdDSA": {"kty": "OKP", "crv": "Ed25519", "x": None},
}


def public_members(algorithm: str, members: Mapping[str, Any]) -> tuple[dict[str, str], int]:
    """
    The members of a public JWK that its thumbprint covers (RFC 7638, section 3.2), `kty` first, and its size in bits.

    Raises KeyError, TypeError, ValueError for what is no such key.
    """
    found: dict[str, str] = {name: members[name] for name in MEMBERS[algorithm]}
    if any(fixed is not None and found[name] != fixed for name, fixed in MEMBERS[algorithm].items()):
        raise ValueError("a key of another kind")
    try:
        public = import_key({**found}).public_key
    except JoseError as fault:
        raise ValueError("no key") from fault
    return found, getattr(public, "key_size", 256)
