"""
What one key file says.

    NAME.json   a private JWK of an RSA key (RFC 7517, RFC 7518 section 6.3). The server's own carry
                "idp": {"created_at", "activates_at", "retired_at" or null, "withdrawn_at" or null}, RFC 3339
    NAME.pem    an RSA key in PKCS#8 or PKCS#1, not encrypted

A key without "idp" was put there by an operator and activates at the time of its file. The `kid` is always the thumbprint
of the key (RFC 7638): a `kid` in the file is not read. No text raised here holds any of the file's content.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from idp.domain.errors import InvalidKeyFile
from idp.domain.signing_keys import ALGORITHM, KeyRecord

SUFFIXES = (".json", ".pem")
SHORTEST = 2048
_PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """*public* is the JWK to publish; *recorded* says that the file carries its own instants."""

    path: Path
    private: RSAPrivateKey = field(repr=False)
    public: Mapping[str, str]
    record: KeyRecord
    recorded: bool = True


def new_key(folder: Path, *, bits: int, created_at: datetime, activates_at: datetime) -> StoredKey:
    private = generate_private_key(public_exponent=65537, key_size=bits)
    public = public_jwk(private)
    record = KeyRecord(kid=public["kid"], bits=bits, created_at=created_at, activates_at=activates_at)
    return StoredKey(path=folder / f"{record.kid}.json", private=private, public=public, record=record)


def read_key(path: Path, content: bytes, modified_at: datetime) -> StoredKey:
    """*modified_at* is the time of the file. Raises `InvalidKeyFile`, which names the file and the remedy."""
    members = _json(path, content) if path.suffix == ".json" else {}
    private = _from_jwk(path, members) if path.suffix == ".json" else _from_pem(path, content)
    if private.key_size < SHORTEST:
        raise InvalidKeyFile(
            f"{path}: {private.key_size} bits are too short. Use an RSA key of at least {SHORTEST} bits."
        )
    public = public_jwk(private)
    recorded = "idp" in members
    instants = members["idp"] if recorded else dict.fromkeys(("created_at", "activates_at"), modified_at.isoformat())
    record = _record(path, public["kid"], private.key_size, instants)
    return StoredKey(path=path, private=private, public=public, record=record, recorded=recorded)


def written(key: StoredKey) -> bytes:
    """The content of *key*'s own JSON file."""
    numbers = key.private.private_numbers()
    private = (numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
    members = dict(zip(_PRIVATE_MEMBERS, map(_encoded, private), strict=True))
    names = ("created_at", "activates_at", "retired_at", "withdrawn_at")
    record = {name: getattr(key.record, name) for name in names}
    return orjson.dumps({**key.public, **members, "idp": record}, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)


def public_jwk(private: RSAPrivateKey) -> dict[str, str]:
    numbers = private.public_key().public_numbers()
    required = {"e": _encoded(numbers.e), "kty": "RSA", "n": _encoded(numbers.n)}
    # RFC 7638, section 3: the required members alone, in lexicographic order, without whitespace.
    thumbprint = hashlib.sha256(orjson.dumps(required)).digest()
    return {
        "kty": "RSA",
        "use": "sig",
        "alg": ALGORITHM,
        "kid": base64url(thumbprint).decode("ascii"),
        "n": required["n"],
        "e": required["e"],
    }


def base64url(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _json(path: Path, content: bytes) -> dict[str, Any]:
    try:
        members = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise _damaged(path, "is not JSON") from None
    if not isinstance(members, dict):
        raise _damaged(path, "is not a JWK")
    return members


def _from_jwk(path: Path, members: Mapping[str, Any]) -> RSAPrivateKey:
    if members.get("kty") != "RSA" or members.get("alg", ALGORITHM) != ALGORITHM or members.get("use", "sig") != "sig":
        raise InvalidKeyFile(f"{path}: is not an RSA key for {ALGORITHM} signatures. Replace it, or remove it.")
    try:
        n, e, d, p, q, dp, dq, qi = (_decoded(members[name]) for name in ("n", "e", *_PRIVATE_MEMBERS))
        return RSAPrivateNumbers(p, q, d, dp, dq, qi, RSAPublicNumbers(e, n)).private_key()
    except (KeyError, TypeError, ValueError):
        raise _damaged(path, "holds no complete RSA private key") from None


def _from_pem(path: Path, content: bytes) -> RSAPrivateKey:
    try:
        private = load_pem_private_key(content, password=None)
    except TypeError:
        remedy = "Write it without a passphrase (openssl pkey -in OLD -out NEW)"
        raise InvalidKeyFile(f"{path}: is encrypted. {remedy}, or remove it.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _damaged(path, "holds no private key in PEM") from None
    if not isinstance(private, RSAPrivateKey):
        raise InvalidKeyFile(f"{path}: is not an RSA key. Replace it by an RSA key, or remove it.")
    return private


def _record(path: Path, kid: str, bits: int, instants: Any) -> KeyRecord:
    try:
        return KeyRecord(
            kid=kid,
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


def _damaged(path: Path, how: str) -> InvalidKeyFile:
    return InvalidKeyFile(f"{path}: {how}. Restore it from a backup, or remove it and run `idp keys rotate`.")


def _encoded(number: int) -> str:
    return base64url(number.to_bytes((number.bit_length() + 7) // 8)).decode("ascii")


def _decoded(member: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(member + "=="))
