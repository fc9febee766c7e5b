"""
Password hashes that other systems made: which of them may be stored, and what each says.

Every form that can be told from its own text is read here; `idp.gateways.passwords` compares. A hash says itself how much
work a comparison is, and it was written by somebody else: one that would cost more than `MOST` allows is refused when it is
imported, or anyone who knows the address could keep the server busy.

    $2a$ $2b$ $2y$                                       bcrypt
    bcrypt$$2b$…  bcrypt_sha256$$2b$…                    bcrypt of Django
    $argon2id$v=19$m=…,t=…,p=…$SALT$DIGEST               Argon2 (RFC 9106), and argon2$argon2id$… of Django
    $pbkdf2-sha256$29000$SALT$DIGEST                     PBKDF2 of passlib; -sha512, and $pbkdf2$ for SHA-1
    $pbkdf2-sha256$i=600000,l=32$SALT$DIGEST             PBKDF2 as a PHC string
    pbkdf2_sha256$600000$salt$DIGEST                     PBKDF2 of Django; pbkdf2_sha1
    $scrypt$ln=16,r=8,p=1$SALT$DIGEST                    scrypt of passlib and as a PHC string (RFC 7914)
    scrypt$16384$salt$8$5$DIGEST                         scrypt of Django
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass

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
    salt: int = 128  # bytes
    digest: int = 128
    text: int = 1024


MOST = Most()
FEWEST_ROUNDS, LEAST_DIGEST = 4, 16
LEAST_ARGON2_SALT, LEAST_ARGON2_PER_LANE = 8, 8  # bytes, KiB: RFC 9106, section 3.1

# The salt's last character carries two bits, so only four of the 64 are possible; bcrypt refuses the others.
BCRYPT_SALT = r"(?P<salt>[./A-Za-z0-9]{21}[.Oeu])"
BCRYPT = re.compile(rf"\$2[aby]\$(?P<rounds>[0-9]{{2}})\${BCRYPT_SALT}(?P<digest>[./A-Za-z0-9]{{31}})")

BINARY = r"[A-Za-z0-9+/.]+"
ARGON2 = re.compile(
    r"\$argon2(?P<kind>id|i|d)\$(?:v=(?P<version>16|19)\$)?m=(?P<memory>[0-9]{1,9}),t=(?P<passes>[0-9]{1,9}),p=(?P<lanes>[0-9]{1,5})"
    r"\$(?P<salt>[A-Za-z0-9+/]+)\$(?P<digest>[A-Za-z0-9+/]+)"
)
PBKDF2 = re.compile(
    rf"\$pbkdf2(?:-(?P<algorithm>sha1|sha256|sha512))?\$(?:i=)?(?P<iterations>[0-9]{{1,9}})(?:,l=(?P<length>[0-9]{{1,4}}))?"
    rf"\$(?P<salt>{BINARY})\$(?P<digest>{BINARY})"
)
DJANGO_PBKDF2 = re.compile(
    r"pbkdf2_(?P<algorithm>sha1|sha256)\$(?P<iterations>[0-9]{1,9})\$(?P<salt>[!-#%-~]+)\$(?P<digest>[A-Za-z0-9+/]+=*)"
)
SCRYPT = re.compile(
    rf"\$scrypt\$ln=(?P<ln>[0-9]{{1,2}}),r=(?P<r>[0-9]{{1,9}}),p=(?P<p>[0-9]{{1,9}})\$(?P<salt>{BINARY})\$(?P<digest>{BINARY})"
)
DJANGO_SCRYPT = re.compile(
    r"scrypt\$(?P<n>[0-9]{1,10})\$(?P<salt>[!-#%-~]+)\$(?P<r>[0-9]{1,9})\$(?P<p>[0-9]{1,9})\$(?P<digest>[A-Za-z0-9+/]+=*)"
)
DJANGO_BCRYPT_SHA256, DJANGO_BCRYPT, DJANGO_ARGON2 = "bcrypt_sha256$", "bcrypt$", "argon2$"


@dataclass(frozen=True, slots=True)
class Bcrypt:
    """*of_sha256*: Django hashed the hexadecimal SHA-256 of the password. *salt* and *digest* are in bcrypt's base64."""

    rounds: int
    salt: str
    digest: str
    of_sha256: bool = False


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


ForeignHash = Bcrypt | Pbkdf2 | Scrypt | Argon2


def foreign_hash(text: str) -> ForeignHash:
    """What *text* says. Raises `UnusableHash` for a form that is not known, and for one that would cost too much."""
    if len(text) > MOST.text:
        raise UnusableHash("The password hash is too long to be one.")
    for pattern, read in READERS:
        if match := pattern.fullmatch(text):
            return read(match)
    if text.startswith(DJANGO_BCRYPT_SHA256):
        return _bcrypt(BCRYPT.fullmatch(text.removeprefix(DJANGO_BCRYPT_SHA256)), of_sha256=True)
    if text.startswith(DJANGO_BCRYPT):
        return _bcrypt(BCRYPT.fullmatch(text.removeprefix(DJANGO_BCRYPT)))
    if text.startswith(DJANGO_ARGON2) and (match := ARGON2.fullmatch("$" + text.removeprefix(DJANGO_ARGON2))):
        return _argon2(match)
    raise _unknown()


def pbkdf2_text(algorithm: str, iterations: int, salt: bytes, digest: bytes) -> str:
    """The PHC string to store for a hash whose parts were given one by one. *algorithm*: `sha1`, `sha256`, `sha512`."""
    return f"$pbkdf2-{algorithm}$i={iterations},l={len(digest)}${_base64(salt)}${_base64(digest)}"


def scrypt_text(n: int, r: int, p: int, salt: bytes, digest: bytes) -> str:
    """As `pbkdf2_text`. Raises `UnusableHash` when *n* is no power of two."""
    return f"$scrypt$ln={_logarithm(n)},r={r},p={p}${_base64(salt)}${_base64(digest)}"


def argon2_text(kind: str, version: int, memory: int, passes: int, lanes: int, salt: bytes, digest: bytes) -> str:
    """As `pbkdf2_text`. *memory* in KiB."""
    return f"$argon2{kind}$v={version}$m={memory},t={passes},p={lanes}${_base64(salt)}${_base64(digest)}"


def _bcrypt(match: re.Match[str] | None, *, of_sha256: bool = False) -> Bcrypt:
    if match is None:
        raise _unknown()
    if not FEWEST_ROUNDS <= int(match["rounds"]) <= MOST.bcrypt_rounds:
        raise UnusableHash(f"bcrypt takes {FEWEST_ROUNDS} to {MOST.bcrypt_rounds} rounds here.")
    return Bcrypt(int(match["rounds"]), match["salt"], match["digest"], of_sha256)


def _pbkdf2(match: re.Match[str]) -> Pbkdf2:
    digest = _sized(match["digest"], match.groupdict().get("length"))
    return _affordable_pbkdf2(match, _salt(_decoded(match["salt"])), digest)


def _django_pbkdf2(match: re.Match[str]) -> Pbkdf2:
    return _affordable_pbkdf2(match, _salt(match["salt"].encode()), _sized(match["digest"]))


def _affordable_pbkdf2(match: re.Match[str], salt: bytes, digest: bytes) -> Pbkdf2:
    iterations = int(match["iterations"])
    if not 1 <= iterations <= MOST.pbkdf2_iterations:
        raise UnusableHash(f"PBKDF2 takes 1 to {MOST.pbkdf2_iterations:,} iterations here.")
    return Pbkdf2(match["algorithm"] or "sha1", iterations, salt, digest)


def _scrypt(match: re.Match[str]) -> Scrypt:
    return _affordable_scrypt(match, 1 << int(match["ln"]), _salt(_decoded(match["salt"])))


def _django_scrypt(match: re.Match[str]) -> Scrypt:
    return _affordable_scrypt(match, 1 << _logarithm(int(match["n"])), _salt(match["salt"].encode()))


def _affordable_scrypt(match: re.Match[str], n: int, salt: bytes) -> Scrypt:
    found = Scrypt(n, int(match["r"]), int(match["p"]), salt, _sized(match["digest"]))
    # RFC 7914, section 2: N is a power of two, larger than 1 and less than 2^(128 * r / 8).
    if n < 2 or found.r < 1 or found.p < 1 or n.bit_length() > 16 * found.r:
        raise UnusableHash("The parameters of scrypt are none that it takes.")
    if found.memory > MOST.scrypt_memory or found.memory * found.p > MOST.scrypt_work:
        raise UnusableHash(
            f"scrypt takes {MOST.scrypt_memory // MIB} MiB here, and {MOST.scrypt_work // MIB} MiB times p."
        )
    return found


def _argon2(match: re.Match[str]) -> Argon2:
    memory, passes, lanes = int(match["memory"]) * 1024, int(match["passes"]), int(match["lanes"])
    if not 1 <= lanes <= MOST.argon2_lanes or passes < 1 or memory < LEAST_ARGON2_PER_LANE * 1024 * lanes:
        raise UnusableHash(f"The parameters of Argon2 are none that it takes; p may be {MOST.argon2_lanes} at most.")
    if memory > MOST.argon2_memory or memory * passes > MOST.argon2_work:
        raise UnusableHash(
            f"Argon2 takes {MOST.argon2_memory // MIB} MiB here, and {MOST.argon2_work // MIB} MiB times the passes."
        )
    _sized(match["digest"])
    if len(_salt(_decoded(match["salt"]))) < LEAST_ARGON2_SALT:
        raise UnusableHash(f"The salt of Argon2 has {LEAST_ARGON2_SALT} bytes at least.")
    return Argon2(match["kind"], match[0])


READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], ForeignHash]], ...] = (
    (BCRYPT, _bcrypt),
    (ARGON2, _argon2),
    (PBKDF2, _pbkdf2),
    (DJANGO_PBKDF2, _django_pbkdf2),
    (SCRYPT, _scrypt),
    (DJANGO_SCRYPT, _django_scrypt),
)


def _sized(text: str, length: str | None = None) -> bytes:
    digest = _decoded(text)
    if not LEAST_DIGEST <= len(digest) <= MOST.digest or (length is not None and int(length) != len(digest)):
        raise UnusableHash(f"The digest has {LEAST_DIGEST} to {MOST.digest} bytes, as many as it says.")
    return digest


def _salt(salt: bytes) -> bytes:
    if len(salt) > MOST.salt:
        raise UnusableHash(f"The salt has {MOST.salt} bytes at most.")
    return salt


def _decoded(text: str) -> bytes:
    """Base64, padded or not, also with passlib's `.` for `+`."""
    bare = text.rstrip("=").replace(".", "+")
    try:
        return b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise UnusableHash("The salt or the digest is no base64.") from None


def _logarithm(n: int) -> int:
    if n < 1 or n & (n - 1):
        raise UnusableHash("N of scrypt is a power of two.")
    return n.bit_length() - 1


def _base64(octets: bytes) -> str:
    return b64encode(octets).decode().rstrip("=")


def _unknown() -> UnusableHash:
    return UnusableHash(
        "This is no password hash that can be used: bcrypt, Argon2, PBKDF2 or scrypt, in a form that docs/import.md lists."
    )
