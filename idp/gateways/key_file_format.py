"""
What one key file says.

    NAME.json   a private JWK (RFC 7517): of an RSA key for RS256 or PS256, as its `alg` says, of a P-256 key for ES256, of
                an Ed25519 key for EdDSA. The server's own carry "idp": {"created_at", "activates_at", "retired_at" or null,
                "withdrawn_at" or null}, RFC 3339
    NAME.pem    a key in PKCS#8, PKCS#1 or SEC 1, not encrypted: RSA for RS256, P-256 for ES256, Ed25519 for EdDSA

A key without "idp" was put there by an operator and activates at the time of its file. The `kid` is always the thumbprint
of the key (RFC 7638): a `kid` in the file is not read. No text raised here holds any of the file's content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from idp.domain.errors import InvalidKeyFile
from idp.domain.signing_keys import KeyRecord
from idp.gateways.private_keys import PrivateKey, RsaKey, base64url, made, of_jwk, of_pem

SUFFIXES = (".json", ".pem")
SHORTEST = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """*public* is the JWK to publish; *recorded* says that the file carries its own instants."""

    path: Path
    private: PrivateKey = field(repr=False)
    public: Mapping[str, str]
    record: KeyRecord
    recorded: bool = True


def new_key(folder: Path, *, algorithm: str, bits: int, created_at: datetime, activates_at: datetime) -> StoredKey:
    """*bits* are those of an RSA key."""
    private = made(algorithm, bits)
    public = public_jwk(private)
    record = KeyRecord(
        kid=public["kid"],
        algorithm=algorithm,
        bits=private.bits,
        created_at=created_at,
        activates_at=activates_at,
    )
    return StoredKey(path=folder / f"{record.kid}.json", private=private, public=public, record=record)


def read_key(path: Path, content: bytes, modified_at: datetime) -> StoredKey:
    """*modified_at* is the time of the file. Raises `InvalidKeyFile`, which names the file and the remedy."""
    members = _json(path, content) if path.suffix == ".json" else {}
    private = _from_jwk(path, members) if path.suffix == ".json" else _from_pem(path, content)
    if isinstance(private, RsaKey) and private.bits < SHORTEST:
        raise InvalidKeyFile(f"{path}: {private.bits} bits are too short. Use an RSA key of at least {SHORTEST} bits.")
    public = public_jwk(private)
    recorded = "idp" in members
    instants = members["idp"] if recorded else dict.fromkeys(("created_at", "activates_at"), modified_at.isoformat())
    record = _record(path, private, public["kid"], instants)
    return StoredKey(path=path, private=private, public=public, record=record, recorded=recorded)


def written(key: StoredKey) -> bytes:
    """The content of *key*'s own JSON file."""
    names = ("created_at", "activates_at", "retired_at", "withdrawn_at")
    record = {name: getattr(key.record, name) for name in names}
    members = {**key.public, **key.private.secret(), "idp": record}
    return orjson.dumps(members, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)


def public_jwk(private: PrivateKey) -> dict[str, str]:
    members = private.public()
    # RFC 7638, section 3: the required members alone, in lexicographic order, without whitespace.
    thumbprint = hashlib.sha256(orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).digest()
    kid = base64url(thumbprint).decode("ascii")
    return {"kty": members.pop("kty"), "use": "sig", "alg": private.algorithm, "kid": kid, **members}


def _json(path: Path, content: bytes) -> dict[str, Any]:
    try:
        members = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise _damaged(path, "is not JSON") from None
    if not isinstance(members, dict):
        raise _damaged(path, "is not a JWK")
    return members


def _from_jwk(path: Path, members: Mapping[str, Any]) -> PrivateKey:
    try:
        private = of_jwk(members)
    except (KeyError, TypeError, ValueError):
        raise _damaged(path, f"holds no complete {members['kty']} private key") from None
    if private is None:
        raise _useless(path)
    return private


def _from_pem(path: Path, content: bytes) -> PrivateKey:
    try:
        private = of_pem(load_pem_private_key(content, password=None))
    except TypeError:
        remedy = "Write it without a passphrase (openssl pkey -in OLD -out NEW)"
        raise InvalidKeyFile(f"{path}: is encrypted. {remedy}, or remove it.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _damaged(path, "holds no private key in PEM") from None
    if private is None:
        raise _useless(path)
    return private


def _record(path: Path, private: PrivateKey, kid: str, instants: Any) -> KeyRecord:
    try:
        return KeyRecord(
            kid=kid,
            algorithm=private.algorithm,
            bits=private.bits,
            created_at=_instant(instants["created_at"]),
            activates_at=_instant(instants["activates_at"]),
            retired_at=_instant_or_none(instants.get("retired_at")),
            withdrawn_at=_instant_or_none(instants.get("withdrawn_at")),
        )
    except (KeyError, TypeError, ValueError):
        raise _damaged(path, 'has a member "idp" that is not as this server writes it') from None


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None or not 1970 <= instant.year < 9000:
        raise ValueError("not an instant")
    return instant.astimezone(UTC)


def _instant_or_none(text: str | None) -> datetime | None:
    return None if text is None else _instant(text)


def _useless(path: Path) -> InvalidKeyFile:
    return InvalidKeyFile(
        f"{path}: is not an RSA key for RS256 or PS256, nor one on P-256 for ES256 or Ed25519 for EdDSA. "
        "Replace it, or remove it."
    )


def _damaged(path: Path, how: str) -> InvalidKeyFile:
    return InvalidKeyFile(f"{path}: {how}. Restore it from a backup, or remove it and run `idp keys rotate`.")
