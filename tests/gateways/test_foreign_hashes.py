"""Hashes of other systems: each form verifies as its maker wrote it; what costs too much or is malformed is refused."""

from __future__ import annotations

import hashlib
import json
import struct
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import argon2
import bcrypt
import pytest
from passlib.hash import pbkdf2_sha1, pbkdf2_sha256, pbkdf2_sha512, scrypt

from idp.domain.accounts.affordable_hashes import UnusableHash
from idp.domain.accounts.password_hashes import argon2_text, pbkdf2_text, scrypt_text
from idp.domain.accounts.passwords import Verdict
from idp.gateways import password_checks
from idp.gateways import passwords as gateway
from idp.gateways.passwords import BcryptPasswords

RIGHT, WRONG = "Crème brûlée 1", "Crème brulée 1"
OCTETS = RIGHT.encode()
SALT = b"sixteen bytes!!!"
# From Django's own tests (auth_tests/test_hashers.py), of "lètmein".
DJANGO_SCRYPT = (
    "scrypt$16384$seasalt$8$1$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw=="
)
KNOWN = json.loads(Path(__file__).with_name("foreign_hashes.json").read_text("utf-8"))
PUBLISHED = KNOWN["published"]


def aspnet(algorithm: int, iterations: int, salt: bytes = SALT, length: int | None = None) -> str:
    """Version 3, with a digest that nothing gives."""
    head = struct.pack(">BIII", 1, algorithm, iterations, len(salt) if length is None else length)
    return b64encode(head + salt + b"x" * 32).decode()


def django_pbkdf2(algorithm: str) -> str:
    digest = hashlib.pbkdf2_hmac(algorithm, OCTETS, b"seasalt", 1000)
    return f"pbkdf2_{algorithm}$1000$seasalt${b64encode(digest).decode()}"


def keycloak_pbkdf2(algorithm: str) -> str:
    """512 bits of whatever digest, as Keycloak derives."""
    return pbkdf2_text(algorithm, 1000, SALT, hashlib.pbkdf2_hmac(algorithm, OCTETS, SALT, 1000, 64))


def argon2_hash(kind: argon2.Type, lanes: int = 1) -> str:
    return argon2.PasswordHasher(time_cost=2, memory_cost=256, parallelism=lanes, type=kind).hash(RIGHT)


def django_bcrypt_sha256() -> str:
    presented = hashlib.sha256(OCTETS).hexdigest().encode()
    return "bcrypt_sha256$" + bcrypt.hashpw(presented, bcrypt.gensalt(4)).decode()


STORED = {
    "bcrypt 2a": bcrypt.hashpw(OCTETS, bcrypt.gensalt(4, prefix=b"2a")).decode(),
    "bcrypt 2b": bcrypt.hashpw(OCTETS, bcrypt.gensalt(4)).decode(),
    "bcrypt 2y": bcrypt.hashpw(OCTETS, bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$"),
    "bcrypt of more rounds than ours": bcrypt.hashpw(OCTETS, bcrypt.gensalt(6)).decode(),
    "bcrypt of Django": "bcrypt$" + bcrypt.hashpw(OCTETS, bcrypt.gensalt(4)).decode(),
    "bcrypt_sha256 of Django": django_bcrypt_sha256(),
    "argon2id": argon2_hash(argon2.Type.ID),
    "argon2id in four lanes": argon2_hash(argon2.Type.ID, 4),
    "argon2i": argon2_hash(argon2.Type.I),
    "argon2d": argon2_hash(argon2.Type.D),
    "argon2 of Django": "argon2" + argon2_hash(argon2.Type.ID),
    "pbkdf2 of passlib": pbkdf2_sha1.using(rounds=1000).hash(RIGHT),
    "pbkdf2-sha256 of passlib": pbkdf2_sha256.using(rounds=1000).hash(RIGHT),
    "pbkdf2-sha512 of passlib": pbkdf2_sha512.using(rounds=1000).hash(RIGHT),
    "pbkdf2_sha256 of Django": django_pbkdf2("sha256"),
    "pbkdf2_sha1 of Django": django_pbkdf2("sha1"),
    "pbkdf2 of Keycloak": keycloak_pbkdf2("sha1"),
    "pbkdf2-sha256 of Keycloak": keycloak_pbkdf2("sha256"),
    "pbkdf2-sha512 of Keycloak": keycloak_pbkdf2("sha512"),
    "scrypt of passlib": scrypt.using(rounds=4, block_size=8, parallelism=2).hash(RIGHT),
    "bcrypt of Spring": "{bcrypt}" + bcrypt.hashpw(OCTETS, bcrypt.gensalt(4, prefix=b"2a")).decode(),
    "argon2 of Spring": "{argon2@SpringSecurity_v5_8}" + argon2_hash(argon2.Type.ID),
    **KNOWN["of_right"],
    "scrypt by its parts": scrypt_text(16, 8, 1, SALT, hashlib.scrypt(OCTETS, salt=SALT, n=16, r=8, p=1, dklen=64)),
}
LONG = b64encode(b"x" * 32).decode().rstrip("=")
DEAR = {
    "bcrypt": "$2b$17$" + "O" * 22 + "8J9IVgzPJupHI2vi8VsZa7b0D892NvC",
    "pbkdf2": f"$pbkdf2-sha256$i=2000001,l=32${LONG}${LONG}",
    "pbkdf2 of Django": f"pbkdf2_sha256$999999999$salt${LONG}=",
    "scrypt's memory": f"$scrypt$ln=20,r=8,p=1${LONG}${LONG}",
    "scrypt's N": f"$scrypt$ln=99,r=8,p=1${LONG}${LONG}",
    "scrypt's p": f"$scrypt$ln=16,r=8,p=9${LONG}${LONG}",
    "scrypt of Django": f"scrypt$1048576$salt$8$1${LONG}=",
    "bcrypt of Spring": "{bcrypt}$2b$17$" + "O" * 22 + "8J9IVgzPJupHI2vi8VsZa7b0D892NvC",
    "bcrypt of WordPress": "$wp$2y$17$" + "O" * 22 + "8J9IVgzPJupHI2vi8VsZa7b0D892NvC",
    "pbkdf2 of Werkzeug": f"pbkdf2:sha256:2000001$salt${'0f' * 32}",
    "scrypt of Werkzeug": f"scrypt:1048576:8:1$salt${'0f' * 32}",
    "scrypt of Werkzeug, p": f"scrypt:65536:8:9$salt${'0f' * 32}",
    "phpass": "$P$FiS0N5L672xzQx1rt1vgdJQRYKnQM9/",
    "phpass, most": "$P$zIQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0",
    "ASP.NET": aspnet(1, 2_000_001),
    "ASP.NET, most": aspnet(2, 0xFFFFFFFF),
    "argon2's memory": argon2_text("id", 19, 1 << 20, 1, 1, SALT, b"x" * 32),
    "argon2's passes": argon2_text("id", 19, 65536, 999_999_999, 1, SALT, b"x" * 32),
    "argon2's lanes": argon2_text("id", 19, 65536, 1, 17, SALT, b"x" * 32),
}
MALFORMED = {
    "another scheme": "$6$rounds=5000$salt$digest",
    "plain text": "Crème brûlée 1",
    "MD5": "5f4dcc3b5aa765d61d8327deb882cf99",
    "PBKDF2 without salt": f"$pbkdf2-sha256$1000$${LONG}",
    "PBKDF2 of MD5": f"$pbkdf2-md5$i=1000,l=32${LONG}${LONG}",
    "PBKDF2 with no iteration": f"$pbkdf2-sha256$0${LONG}${LONG}",
    "PBKDF2 of another length": f"$pbkdf2-sha256$i=1000,l=16${LONG}${LONG}",
    "a short digest": "$pbkdf2-sha256$1000$c2FsdA$c2FsdA",
    "no base64": f"$pbkdf2-sha256$1000${LONG}$AAAAAAAAAAAAAAAAAAAAAAAAA",
    "scrypt's N of 1": f"$scrypt$ln=0,r=8,p=1${LONG}${LONG}",
    "scrypt's r of 0": f"$scrypt$ln=4,r=0,p=1${LONG}${LONG}",
    "scrypt's N that is no power": f"scrypt$1000$salt$8$1${LONG}=",
    "argon2 with too little memory": argon2_text("id", 19, 7, 1, 1, SALT, b"x" * 32),
    "argon2 with a short salt": argon2_text("id", 19, 64, 1, 1, b"salt", b"x" * 32),
    "argon2 of no version": argon2_text("id", 18, 64, 1, 1, SALT, b"x" * 32),
    "Spring's prefix of another": "{MD5}5f4dcc3b5aa765d61d8327deb882cf99",
    "Spring's prefix of nothing": "{bcrypt}",
    "Spring's prefix twice": "{bcrypt}{bcrypt}" + bcrypt.hashpw(OCTETS, bcrypt.gensalt(4)).decode(),
    "WordPress of no bcrypt": "$wp$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$" + LONG,
    "phpass of too few rounds": "$P$4IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0",
    "phpass cut short": "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L",
    "Werkzeug without iterations": f"pbkdf2:sha256$salt${'0f' * 32}",
    "Werkzeug's old HMAC": f"sha256$salt${'0f' * 32}",
    "Werkzeug of MD5": f"pbkdf2:md5:1000$salt${'0f' * 16}",
    "Werkzeug's scrypt with N of no power": f"scrypt:1000:8:1$salt${'0f' * 32}",
    "Werkzeug with half a byte": f"pbkdf2:sha256:1000$salt${'0f' * 32}0",
    "ASP.NET of no algorithm": aspnet(3, 1000),
    "ASP.NET with no iteration": aspnet(1, 0),
    "ASP.NET with a short salt": aspnet(1, 1000, b"salt"),
    "ASP.NET with a salt beyond the end": aspnet(1, 1000, length=2**32 - 1),
    "ASP.NET cut short": "AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4A=",
    "ASP.NET of another version": "AgAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHw",
    "a line break": STORED["argon2id"] + "\n",
    "too long": f"$pbkdf2-sha256$1000${LONG}${'A' * 2000}",
}


@pytest.fixture
def passwords() -> Iterator[BcryptPasswords]:
    made = BcryptPasswords(4, 1)
    yield made
    made.close()


@pytest.mark.parametrize("stored", STORED.values(), ids=STORED)
async def test_the_right_password_matches_and_is_to_be_hashed_anew(passwords: BcryptPasswords, stored: str) -> None:
    passwords.require_usable(stored)

    assert await passwords.verify(RIGHT, stored) == Verdict(matched=True, outdated=True)
    assert await passwords.verify(WRONG, stored) == Verdict(matched=False, outdated=True)


async def test_a_hash_that_django_published_matches(passwords: BcryptPasswords) -> None:
    assert (await passwords.verify("lètmein", DJANGO_SCRYPT)).matched
    assert not (await passwords.verify("letmein", DJANGO_SCRYPT)).matched


@pytest.mark.parametrize(("password", "stored"), PUBLISHED.values(), ids=PUBLISHED)
async def test_a_hash_that_its_maker_published_matches(passwords: BcryptPasswords, password: str, stored: str) -> None:
    assert await passwords.verify(password, stored) == Verdict(matched=True, outdated=True)
    assert not (await passwords.verify(password + "x", stored)).matched


async def test_a_long_password_makes_no_hash_dear(passwords: BcryptPasswords, monkeypatch: pytest.MonkeyPatch) -> None:
    """phpass reads all of it in each round: 64 KiB in 2^16 rounds would be 4 GiB of MD5."""
    monkeypatch.setattr(password_checks.hashlib, "md5", None)

    assert not (await passwords.verify("x" * 4097, "$P$EIQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0")).matched


async def test_passwords_of_any_kind_are_compared(passwords: BcryptPasswords) -> None:
    for stored in STORED.values():
        for password in ("", "\ud800", "a\0b", "x" * 5000):
            assert not (await passwords.verify(password, stored)).matched


@pytest.mark.parametrize("stored", {**DEAR, **MALFORMED}.values(), ids={**DEAR, **MALFORMED})
async def test_what_costs_too_much_or_is_malformed_is_refused_and_never_computed(
    passwords: BcryptPasswords, monkeypatch: pytest.MonkeyPatch, stored: str
) -> None:
    """Whoever wrote the file chose the parameters, and anyone could have them computed by trying to sign in."""
    monkeypatch.setattr(gateway.password_checks, "matches", None)

    with pytest.raises(UnusableHash) as refused:
        passwords.require_usable(stored)

    assert stored not in str(refused.value)
    assert await passwords.verify(RIGHT, stored) == Verdict(matched=False, damaged=True)


@pytest.mark.parametrize("name", ["pbkdf2-sha256 of passlib", "scrypt of passlib"])
async def test_a_wrong_password_for_a_cheap_hash_costs_about_as_much_as_an_unknown_user(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    done: list[int] = []
    digest = gateway.bcrypt_digest
    monkeypatch.setattr(
        gateway, "bcrypt_digest", lambda octets, rounds, salt: done.append(2**rounds) or digest(octets, rounds, salt)
    )
    passwords = BcryptPasswords(10, 1)
    try:
        await passwords.verify(WRONG, STORED[name])
    finally:
        passwords.close()

    # These hashes take a few milliseconds, one of ours of ten rounds 70.
    assert 2**9 <= sum(done) <= 2**10
