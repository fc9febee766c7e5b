"""
Password hashes of other systems, whatever their text: what each needs to be compared, and what that may cost.

A hash says itself how much work a comparison is, and it was written by somebody else: one that would cost more than `MOST`
allows is refused when it is imported, or anyone who knows the address could keep the server busy.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass
from enum import StrEnum

MIB = 1024 * 1024


class UnusableHash(ValueError):
    """A sentence that says why, and never repeats the hash."""


@dataclass(frozen=True, slots=True)
class Most:
    """
    What one comparison may cost: about a second of one core. Above every default of the systems that these hashes come from
    (Django 6: 1,200,000 iterations of PBKDF2; Keycloak: 1,300,000 of SHA-1; argon2-cffi and passlib: 64 MiB).
    """

    bcrypt_rounds: int = 16
    pbkdf2_iterations: int = 2_000_000
    scrypt_memory: int = 128 * MIB
    scrypt_work: int = 512 * MIB  # memory times parallelism
    argon2_memory: int = 128 * MIB
    argon2_work: int = 1024 * MIB  # memory times passes
    argon2_lanes: int = 16
    phpass_rounds: int = 16  # each doubles; of 2^16 MD5 in this interpreter's own loop, about 50 ms
    salt: int = 128  # bytes
    digest: int = 128
    text: int = 1024


MOST = Most()
FEWEST_ROUNDS, LEAST_DIGEST = 4, 16
LEAST_ARGON2_SALT, LEAST_ARGON2_PER_LANE = 8, 8  # bytes, KiB: RFC 9106, section 3.1
LEAST_PHPASS_ROUNDS = 7


class BcryptReads(StrEnum):
    """
    What went into bcrypt: the password; for Django the hexadecimal SHA-256 of it; for WordPress the base64 of HMAC-SHA-384
    under the key `wp-sha384`, of the password without the white space around it.
    """

    PASSWORD = "password"  # noqa: S105
    SHA256 = "sha256"
    WORDPRESS = "wordpress"


@dataclass(frozen=True, slots=True)
class Bcrypt:
    """*salt* and *digest* are in bcrypt's base64."""

    rounds: int
    salt: str
    digest: str
    reads: BcryptReads = BcryptReads.PASSWORD


@dataclass(frozen=True, slots=True)
class Pbkdf2:
    """RFC 8018. *algorithm* is a name that hashlib knows."""

    algorithm: str
    iterations: int
    salt: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Scrypt:
    n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    @property
    def memory(self) -> int:
        """In bytes (RFC 7914, section 2)."""
        return 128 * self.n * self.r


@dataclass(frozen=True, slots=True)
class Argon2:
    """*text* is the PHC string, *kind* `i`, `d` or `id`."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Phpass:
    """Salted MD5, 2^*rounds* times over. *digest* in its own base64."""

    rounds: int
    salt: str
    digest: str


ForeignHash = Bcrypt | Pbkdf2 | Scrypt | Argon2 | Phpass


def affordable_bcrypt(rounds: int, salt: str, digest: str, reads: BcryptReads = BcryptReads.PASSWORD) -> Bcrypt:
    """Raises `UnusableHash`, as all of these do."""
    if not FEWEST_ROUNDS <= rounds <= MOST.bcrypt_rounds:
        raise UnusableHash(f"bcrypt takes {FEWEST_ROUNDS} to {MOST.bcrypt_rounds} rounds here.")
    return Bcrypt(rounds, salt, digest, reads)


def affordable_pbkdf2(algorithm: str, iterations: int, salt: bytes, digest: bytes) -> Pbkdf2:
    if not 1 <= iterations <= MOST.pbkdf2_iterations:
        raise UnusableHash(f"PBKDF2 takes 1 to {MOST.pbkdf2_iterations:,} iterations here.")
    return Pbkdf2(algorithm, iterations, sized_salt(salt), sized_digest(digest))


def affordable_scrypt(n: int, r: int, p: int, salt: bytes, digest: bytes) -> Scrypt:
    found = Scrypt(n, r, p, sized_salt(salt), sized_digest(digest))
    # RFC 7914, section 2: N is a power of two, larger than 1 and less than 2^(128 * r / 8).
    if n < 2 or r < 1 or p < 1 or n.bit_length() > 16 * r:
        raise UnusableHash("The parameters of scrypt are none that it takes.")
    logarithm(n)
    if found.memory > MOST.scrypt_memory or found.memory * p > MOST.scrypt_work:
        raise UnusableHash(
            f"scrypt takes {MOST.scrypt_memory // MIB} MiB here, and {MOST.scrypt_work // MIB} MiB times p."
        )
    return found


def affordable_phpass(rounds: int, salt: str, digest: str) -> Phpass:
    if not LEAST_PHPASS_ROUNDS <= rounds <= MOST.phpass_rounds:
        raise UnusableHash(f"phpass takes 2^{LEAST_PHPASS_ROUNDS} to 2^{MOST.phpass_rounds} rounds here.")
    return Phpass(rounds, salt, digest)


def sized_digest(digest: bytes) -> bytes:
    if not LEAST_DIGEST <= len(digest) <= MOST.digest:
        raise UnusableHash(f"The digest has {LEAST_DIGEST} to {MOST.digest} bytes, as many as it says.")
    return digest


def sized_salt(salt: bytes) -> bytes:
    if len(salt) > MOST.salt:
        raise UnusableHash(f"The salt has {MOST.salt} bytes at most.")
    return salt


def decoded(text: str) -> bytes:
    """Base64, padded or not, also with passlib's `.` for `+`."""
    bare = text.rstrip("=").replace(".", "+")
    try:
        return b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise UnusableHash("The salt or the digest is no base64.") from None


def logarithm(n: int) -> int:
    if n < 1 or n & (n - 1):
        raise UnusableHash("N of scrypt is a power of two.")
    return n.bit_length() - 1
