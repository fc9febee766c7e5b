"""
Comparing a password with a hash that another system made. Every one of these releases the interpreter while it works, but
phpass, which hashes a few bytes at a time: 6 ms for what WordPress stored.

argon2-cffi is a dependency and no extra: a node without it would take the right password of an imported user for a wrong one.
It is imported when the first Argon2 hash is met, so who imported none never loads it.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from functools import singledispatch

import bcrypt

from idp.domain.accounts.affordable_hashes import Argon2, Bcrypt, BcryptReads, ForeignHash, Pbkdf2, Phpass, Scrypt
from idp.domain.accounts.password_hashes import PHPASS_DIGITS

BCRYPT_READS = 72
PHPASS_READS = 4096
PHP_TRIMS = b" \t\n\r\0\x0b"
SCRYPT_NEEDS = 1024 * 1024  # bytes that OpenSSL takes beside the memory of the algorithm


def matches(password: bytes, stored: ForeignHash) -> bool:
    """*password* as the bytes that were hashed: other systems took them as they came."""
    return _matches(stored, password)


def bcrypt_digest(presented: bytes, rounds: int, salt: str) -> str:
    """The 31 characters that bcrypt writes for at most 72 bytes."""
    return bcrypt.hashpw(presented, f"$2b${rounds:02}${salt}".encode())[-31:].decode()


@singledispatch
def _matches(stored: object, password: bytes) -> bool:
    raise NotImplementedError


@_matches.register
def _(stored: Bcrypt, password: bytes) -> bool:
    match stored.reads:
        case BcryptReads.SHA256:
            presented = hashlib.sha256(password).hexdigest().encode()
        case BcryptReads.WORDPRESS:
            presented = b64encode(hmac.digest(b"wp-sha384", password.strip(PHP_TRIMS), "sha384"))
        case BcryptReads.PASSWORD:
            # Other systems let bcrypt read the first 72 bytes.
            presented = password[:BCRYPT_READS]
    return hmac.compare_digest(bcrypt_digest(presented, stored.rounds, stored.salt), stored.digest)


@_matches.register
def _(stored: Pbkdf2, password: bytes) -> bool:
    # Each further block costs as much as the first and depends on nothing in it: whoever finds the first has found the
    # password, or a text as good. Keycloak wrote four blocks of SHA-1.
    digest = stored.digest[: hashlib.new(stored.algorithm).digest_size]
    found = hashlib.pbkdf2_hmac(stored.algorithm, password, stored.salt, stored.iterations, len(digest))
    return hmac.compare_digest(found, digest)


@_matches.register
def _(stored: Scrypt, password: bytes) -> bool:
    found = hashlib.scrypt(
        password,
        salt=stored.salt,
        n=stored.n,
        r=stored.r,
        p=stored.p,
        maxmem=stored.memory + 128 * stored.r * (stored.p + 2) + SCRYPT_NEEDS,
        dklen=len(stored.digest),
    )
    return hmac.compare_digest(found, stored.digest)


@_matches.register
def _(stored: Argon2, password: bytes) -> bool:
    from argon2.exceptions import VerifyMismatchError
    from argon2.low_level import Type, verify_secret

    try:
        return verify_secret(stored.text.encode(), password, Type[stored.kind.upper()])
    except VerifyMismatchError:
        return False


@_matches.register
def _(stored: Phpass, password: bytes) -> bool:
    # Every round reads the whole password: a long one would cost thousands of times as much. phpass refuses it, too.
    if len(password) > PHPASS_READS:
        return False
    digest = hashlib.md5(stored.salt.encode() + password, usedforsecurity=False).digest()
    for _ in range(1 << stored.rounds):
        digest = hashlib.md5(digest + password, usedforsecurity=False).digest()
    return hmac.compare_digest(_phpass_base64(digest), stored.digest)


def _phpass_base64(octets: bytes) -> str:
    """Each three bytes as four digits, the lowest bits first; what is left over as one digit more than it has bytes."""
    groups = [(int.from_bytes(part, "little"), len(part) + 1) for part in (octets[i : i + 3] for i in range(0, 16, 3))]
    return "".join(PHPASS_DIGITS[number >> 6 * place & 63] for number, digits in groups for place in range(digits))
