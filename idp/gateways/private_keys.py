"""
Private keys, one class for each type: how a key is made, written as JWK, and signs (RFC 7518, RFC 8037).

    RsaKey      RS256, PS256    signature as long as the modulus
    EllipticKey ES256           r and s of 32 bytes each, not the DER that OpenSSL makes (RFC 7518, section 3.4)
    EdwardsKey  EdDSA           64 bytes
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Protocol, Self

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from idp.domain.operation.signing_keys import ALGORITHM

_HASH = SHA256()
# RFC 7518, section 3.5: the salt is as long as the hash.
_PADDINGS: Mapping[str, PKCS1v15 | PSS] = {"RS256": PKCS1v15(), "PS256": PSS(MGF1(_HASH), _HASH.digest_size)}
_RSA_SECRETS = ("d", "p", "q", "dp", "dq", "qi")
_CURVE = ec.SECP256R1()
_COORDINATE = 32
_ECDSA = ec.ECDSA(_HASH)


class PrivateKey(Protocol):
    @property
    def algorithm(self) -> str: ...

    @property
    def bits(self) -> int: ...

    def public(self) -> dict[str, str]:
        """The members of its public JWK that its thumbprint covers (RFC 7638, section 3.2), `kty` first."""

    def secret(self) -> dict[str, str]:
        """What a private JWK has besides."""

    def sign(self, signed: bytes) -> bytes:
        """The signature as a JWS carries it, before its base64url."""


class RsaKey:
    def __init__(self, key: RSAPrivateKey, algorithm: str) -> None:
        self.algorithm = algorithm
        self._key = key
        self._padding = _PADDINGS[algorithm]

    @classmethod
    def made(cls, algorithm: str, bits: int) -> Self:
        return cls(generate_private_key(public_exponent=65537, key_size=bits), algorithm)

    @classmethod
    def of(cls, members: Mapping[str, Any], algorithm: str) -> Self:
        """Raises KeyError, TypeError, ValueError for a JWK that is not whole."""
        n, e, d, p, q, dp, dq, qi = (_number(members[name]) for name in ("n", "e", *_RSA_SECRETS))
        return cls(RSAPrivateNumbers(p, q, d, dp, dq, qi, RSAPublicNumbers(e, n)).private_key(), algorithm)

    @property
    def bits(self) -> int:
        return self._key.key_size

    def public(self) -> dict[str, str]:
        numbers = self._key.public_key().public_numbers()
        return {"kty": "RSA", "n": _encoded(numbers.n), "e": _encoded(numbers.e)}

    def secret(self) -> dict[str, str]:
        numbers = self._key.private_numbers()
        values = (numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
        return dict(zip(_RSA_SECRETS, map(_encoded, values), strict=True))

    def sign(self, signed: bytes) -> bytes:
        return self._key.sign(signed, self._padding, _HASH)


class EllipticKey:
    """On P-256."""

    algorithm = "ES256"
    bits = 256

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    @classmethod
    def made(cls) -> Self:
        return cls(ec.generate_private_key(_CURVE))

    @classmethod
    def of(cls, members: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError, ValueError for a JWK that is not whole."""
        key = cls(ec.derive_private_key(_number(members["d"]), _CURVE))
        _refuse_other_half(key, members)
        return key

    def public(self) -> dict[str, str]:
        numbers = self._key.public_key().public_numbers()
        return {
            "kty": "EC",
            "crv": "P-256",
            "x": _encoded(numbers.x, _COORDINATE),
            "y": _encoded(numbers.y, _COORDINATE),
        }

    def secret(self) -> dict[str, str]:
        return {"d": _encoded(self._key.private_numbers().private_value, _COORDINATE)}

    def sign(self, signed: bytes) -> bytes:
        r, s = decode_dss_signature(self._key.sign(signed, _ECDSA))
        return r.to_bytes(_COORDINATE) + s.to_bytes(_COORDINATE)


class EdwardsKey:
    """Ed25519."""

    algorithm = "EdDSA"
    bits = 256

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def made(cls) -> Self:
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def of(cls, members: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError, ValueError for a JWK that is not whole."""
        key = cls(Ed25519PrivateKey.from_private_bytes(_bytes(members["d"])))
        _refuse_other_half(key, members)
        return key

    def public(self) -> dict[str, str]:
        content = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url(content).decode("ascii")}

    def secret(self) -> dict[str, str]:
        content = self._key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return {"d": base64url(content).decode("ascii")}

    def sign(self, signed: bytes) -> bytes:
        return self._key.sign(signed)


def made(algorithm: str, rsa_bits: int) -> PrivateKey:
    """A new key for one of `idp.domain.operation.signing_keys.ALGORITHMS`."""
    match algorithm:
        case EllipticKey.algorithm:
            return EllipticKey.made()
        case EdwardsKey.algorithm:
            return EdwardsKey.made()
        case _:
            return RsaKey.made(algorithm, rsa_bits)


def of_jwk(members: Mapping[str, Any]) -> PrivateKey | None:
    """
    None for a key that signs nothing here. An RSA key that names no algorithm is for `ALGORITHM`.

    Raises KeyError, TypeError, ValueError for one that is not whole.
    """
    if members.get("use", "sig") != "sig":
        return None
    match members.get("kty"), members.get("crv"), members.get("alg"):
        case "RSA", None, None:
            return RsaKey.of(members, ALGORITHM)
        case "RSA", None, ("RS256" | "PS256") as algorithm:
            return RsaKey.of(members, algorithm)
        case "EC", "P-256", (None | EllipticKey.algorithm):
            return EllipticKey.of(members)
        case "OKP", "Ed25519", (None | EdwardsKey.algorithm):
            return EdwardsKey.of(members)
    return None


def of_pem(key: object) -> PrivateKey | None:
    """What the file held, an RSA key for `ALGORITHM`; None for a key that signs nothing here."""
    if isinstance(key, RSAPrivateKey):
        return RsaKey(key, ALGORITHM)
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return EllipticKey(key)
    return EdwardsKey(key) if isinstance(key, Ed25519PrivateKey) else None


def base64url(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _refuse_other_half(key: PrivateKey, members: Mapping[str, Any]) -> None:
    """A private key tells its public one, so a JWK whose halves differ was damaged or mixed up."""
    if any(members[name] != value for name, value in key.public().items()):
        raise ValueError("the public members belong to another key")


def _encoded(number: int, length: int | None = None) -> str:
    """*length* in bytes; as few as hold it when None."""
    return base64url(number.to_bytes(length or (number.bit_length() + 7) // 8)).decode("ascii")


def _number(member: str) -> int:
    return int.from_bytes(_bytes(member))


def _bytes(member: str) -> bytes:
    return base64.urlsafe_b64decode(member + "==")
