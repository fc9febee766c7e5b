"""
What one key file says.

    NAME.json   a private JWK (RFC 7517): of an RSA key for RS256 or PS256, as its `alg` says, of a P-256 key for ES256, of
                an Ed25519 key for EdDSA. The server's own carry "idp": {"created_at", "activates_at", "retired_at" or null,
                "withdrawn_at" or null}, RFC 3339
    NAME.pem    a key in PKCS#8, PKCS#1 or SEC 1, not encrypted: RSA for RS256, P-256 for ES256, Ed25519 for EdDSA
    KID.pub     the public JWK of a key that has expired, with its "idp": it verifies hints. The name is no `.json`, which
                older versions would refuse for want of the private members

A key without "idp" was put there by an operator and activates at the time of its file. The `kid` is always the thumbprint
of the key (RFC 7638): a `kid` in the file is not read. No text raised here holds any of the file's content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from idp.domain.errors import InvalidKeyFile
from idp.domain.operation.signing_keys import KeyRecord
from idp.gateways.private_keys import PrivateKey, RsaKey, base64url, made, of_jwk, of_pem
from idp.gateways.public_keys import public_members

PUBLIC = ".pub"
SUFFIXES = (".json", ".pem", PUBLIC)
SHORTEST = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """
    *public* is the JWK to publish; *recorded* says that the file carries its own instants. *private* is None when only the
    public half is kept.
    """

    path: Path
    private: PrivateKey | None = field(repr=False)
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


def public_half(key: StoredKey, stopped_at: datetime) -> StoredKey:
    """What is kept of a key that signed for the last time at *stopped_at*, so that it never signs again."""
    return replace(key, private=None, record=replace(key.record, retired_at=stopped_at), recorded=True)


def read_key(path: Path, content: bytes, modified_at: datetime) -> StoredKey:
    """*modified_at* is the time of the file. Raises `InvalidKeyFile`, which names the file and the remedy."""
    if path.suffix == PUBLIC:
        return _public(path, _json(path, content))
    members = _json(path, content) if path.suffix == ".json" else {}
    private = _from_jwk(path, members) if path.suffix == ".json" else _from_pem(path, content)
    if isinstance(private, RsaKey) and private.bits < SHORTEST:
        raise InvalidKeyFile(f"{path}: {private.bits} bits are too short. Use an RSA key of at least {SHORTEST} bits.")
    public = public_jwk(private)
    recorded = "idp" in members
    instants = members["idp"] if recorded else dict.fromkeys(("created_at", "activates_at"), modified_at.isoformat())
    record = _record(path, public, private.bits, instants)
    return StoredKey(path=path, private=private, public=public, record=record, recorded=recorded)


def written(key: StoredKey) -> bytes:
    """The content of *key*'s own file."""
    names = ("created_at", "activates_at", "retired_at", "withdrawn_at")
    record = {name: getattr(key.record, name) for name in names}
    secret = key.private.secret() if key.private is not None else {}
    members = {**key.public, **secret, "idp": record}
    return orjson.dumps(members, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)


def public_jwk(private: PrivateKey) -> dict[str, str]:
    return _named(private.algorithm, private.public())


def _named(algorithm: str, members: Mapping[str, str]) -> dict[str, str]:
    """The JWK of the public *members* that its thumbprint covers."""
    # RFC 7638, section 3: the required members alone, in lexicographic order, without whitespace.
    thumbprint = hashlib.sha256(orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).digest()
    kid = base64url(thumbprint).decode("ascii")
    return {"kty": members["kty"], "use": "sig", "alg": algorithm, "kid": kid, **members}


def _public(path: Path, members: Mapping[str, Any]) -> StoredKey:
    try:
        algorithm, instants = members["alg"], members["idp"]
        shown, bits = public_members(algorithm, members)
    except (KeyError, TypeError, ValueError):
        raise _damaged(path, "holds no public key as this server keeps it") from None
    public = _named(algorithm, shown)
    record = _record(path, public, bits, instants)
    if record.retired_at is None:
        raise _damaged(path, "does not say when its key was retired")
    return StoredKey(path=path, private=None, public=public, record=record)


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


def _record(path: Path, public: Mapping[str, str], bits: int, instants: Any) -> KeyRecord:
    try:
        return KeyRecord(
            kid=public["kid"],
            algorithm=public["alg"],
            bits=bits,
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
