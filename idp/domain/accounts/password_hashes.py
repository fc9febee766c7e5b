"""
Password hashes that other systems made: which of them may be stored, and what each says.

Every form that can be told from its own text is read here; `idp.domain.accounts.affordable_hashes` says what one may cost,
`idp.gateways.passwords` compares.

    $2a$ $2b$ $2y$                                       bcrypt
    bcrypt$$2b$…  bcrypt_sha256$$2b$…                    bcrypt of Django
    $argon2id$v=19$m=…,t=…,p=…$SALT$DIGEST               Argon2 (RFC 9106), and argon2$argon2id$… of Django
    $pbkdf2-sha256$29000$SALT$DIGEST                     PBKDF2 of passlib; -sha512, and $pbkdf2$ for SHA-1
    $pbkdf2-sha256$i=600000,l=32$SALT$DIGEST             PBKDF2 as a PHC string
    pbkdf2_sha256$600000$salt$DIGEST                     PBKDF2 of Django; pbkdf2_sha1
    $scrypt$ln=16,r=8,p=1$SALT$DIGEST                    scrypt of passlib and as a PHC string (RFC 7914)
    scrypt$16384$salt$8$5$DIGEST                         scrypt of Django
    {bcrypt}$2a$…  {argon2}$argon2id$…                   the same with Spring Security's prefix
    pbkdf2:sha256:1000000$salt$HEX  scrypt:32768:8:1$…   Werkzeug (Flask)
    $wp$2y$…                                             bcrypt of WordPress, from 6.8
    $P$B…  $H$9…                                         phpass: WordPress until 6.8, phpBB
    AQAAAA…  A…==                                        ASP.NET Core Identity, versions 3 and 2
"""

from __future__ import annotations

import re
import struct
from base64 import b64encode
from collections.abc import Callable

from idp.domain.accounts.affordable_hashes import (
    LEAST_ARGON2_PER_LANE,
    LEAST_ARGON2_SALT,
    MIB,
    MOST,
    Argon2,
    Bcrypt,
    BcryptReads,
    ForeignHash,
    Pbkdf2,
    Phpass,
    Scrypt,
    UnusableHash,
    affordable_bcrypt,
    affordable_pbkdf2,
    affordable_phpass,
    affordable_scrypt,
    decoded,
    logarithm,
    sized_digest,
    sized_salt,
)

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
WERKZEUG_PBKDF2 = re.compile(
    r"pbkdf2:(?P<algorithm>sha1|sha256|sha512):(?P<iterations>[0-9]{1,9})\$(?P<salt>[!-#%-~]+)\$(?P<hexadecimal>(?:[0-9a-f]{2})+)"
)
WERKZEUG_SCRYPT = re.compile(
    r"scrypt:(?P<n>[0-9]{1,10}):(?P<r>[0-9]{1,9}):(?P<p>[0-9]{1,9})\$(?P<salt>[!-#%-~]+)\$(?P<hexadecimal>(?:[0-9a-f]{2})+)"
)
WORDPRESS = re.compile(rf"\$wp{BCRYPT.pattern}")
PHPASS_DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PHPASS = re.compile(r"\$[PH]\$(?P<rounds>[./0-9A-Za-z])(?P<salt>[./0-9A-Za-z]{8})(?P<digest>[./0-9A-Za-z]{22})")
# By its first bytes: version 3 and the algorithm's number, or version 2 and the length that it always has.
ASPNET = re.compile(r"AQAAAA[A-Za-z0-9+/]+={0,2}|A[A-P][A-Za-z0-9+/]{63}[AQgw]==")
ASPNET_V2, ASPNET_V2_ITERATIONS = struct.Struct(">B16s32s"), 1000
ASPNET_V3, LEAST_ASPNET_SALT = struct.Struct(">BIII"), 16
ASPNET_ALGORITHMS = {0: "sha1", 1: "sha256", 2: "sha512"}
SPRING = re.compile(r"\{(?:bcrypt|argon2(?:@SpringSecurity_v5_8)?)\}(?=\$2|\$argon2)")
DJANGO_BCRYPT_SHA256, DJANGO_BCRYPT, DJANGO_ARGON2 = "bcrypt_sha256$", "bcrypt$", "argon2$"


def foreign_hash(text: str) -> ForeignHash:
    """What *text* says. Raises `UnusableHash` for a form that is not known, and for one that would cost too much."""
    if len(text) > MOST.text:
        raise UnusableHash("The password hash is too long to be one.")
    text = SPRING.sub("", text, count=1) if text.startswith("{") else text
    for pattern, read in READERS:
        if match := pattern.fullmatch(text):
            return read(match)
    if text.startswith(DJANGO_BCRYPT_SHA256):
        return _bcrypt(BCRYPT.fullmatch(text.removeprefix(DJANGO_BCRYPT_SHA256)), BcryptReads.SHA256)
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
    return f"$scrypt$ln={logarithm(n)},r={r},p={p}${_base64(salt)}${_base64(digest)}"


def argon2_text(kind: str, version: int, memory: int, passes: int, lanes: int, salt: bytes, digest: bytes) -> str:
    """As `pbkdf2_text`. *memory* in KiB."""
    return f"$argon2{kind}$v={version}$m={memory},t={passes},p={lanes}${_base64(salt)}${_base64(digest)}"


def _bcrypt(match: re.Match[str] | None, reads: BcryptReads = BcryptReads.PASSWORD) -> Bcrypt:
    if match is None:
        raise _unknown()
    return affordable_bcrypt(int(match["rounds"]), match["salt"], match["digest"], reads)


def _pbkdf2(match: re.Match[str]) -> Pbkdf2:
    digest, length = decoded(match["digest"]), match["length"]
    if length is not None and int(length) != len(digest):
        raise UnusableHash("The digest is longer or shorter than it says.")
    return affordable_pbkdf2(match["algorithm"] or "sha1", int(match["iterations"]), decoded(match["salt"]), digest)


def _django_pbkdf2(match: re.Match[str]) -> Pbkdf2:
    salt, digest = match["salt"].encode(), decoded(match["digest"])
    return affordable_pbkdf2(match["algorithm"], int(match["iterations"]), salt, digest)


def _scrypt(match: re.Match[str]) -> Scrypt:
    salt, digest = decoded(match["salt"]), decoded(match["digest"])
    return affordable_scrypt(1 << int(match["ln"]), int(match["r"]), int(match["p"]), salt, digest)


def _text_scrypt(match: re.Match[str]) -> Scrypt:
    """Of Django and Werkzeug, whose salt is text."""
    hexadecimal = match.groupdict().get("hexadecimal")
    digest = bytes.fromhex(hexadecimal) if hexadecimal else decoded(match["digest"])
    return affordable_scrypt(int(match["n"]), int(match["r"]), int(match["p"]), match["salt"].encode(), digest)


def _werkzeug_pbkdf2(match: re.Match[str]) -> Pbkdf2:
    salt, digest = match["salt"].encode(), bytes.fromhex(match["hexadecimal"])
    return affordable_pbkdf2(match["algorithm"], int(match["iterations"]), salt, digest)


def _wordpress(match: re.Match[str]) -> Bcrypt:
    return _bcrypt(match, BcryptReads.WORDPRESS)


def _phpass(match: re.Match[str]) -> Phpass:
    return affordable_phpass(PHPASS_DIGITS.index(match["rounds"]), match["salt"], match["digest"])


def _aspnet(match: re.Match[str]) -> Pbkdf2:
    """ASP.NET Core Identity: a byte for the version, then what that says."""
    raw = decoded(match[0])
    if len(raw) == ASPNET_V2.size and raw[0] == 0:
        _, salt, digest = ASPNET_V2.unpack(raw)
        return affordable_pbkdf2("sha1", ASPNET_V2_ITERATIONS, salt, digest)
    if len(raw) < ASPNET_V3.size or raw[0] != 1:
        raise _unknown()
    _, algorithm, iterations, length = ASPNET_V3.unpack_from(raw)
    salt, digest = raw[ASPNET_V3.size :][:length], raw[ASPNET_V3.size + length :]
    if algorithm not in ASPNET_ALGORITHMS or length < LEAST_ASPNET_SALT:
        raise _unknown()
    return affordable_pbkdf2(ASPNET_ALGORITHMS[algorithm], iterations, salt, digest)


def _argon2(match: re.Match[str]) -> Argon2:
    memory, passes, lanes = int(match["memory"]) * 1024, int(match["passes"]), int(match["lanes"])
    if not 1 <= lanes <= MOST.argon2_lanes or passes < 1 or memory < LEAST_ARGON2_PER_LANE * 1024 * lanes:
        raise UnusableHash(f"The parameters of Argon2 are none that it takes; p may be {MOST.argon2_lanes} at most.")
    if memory > MOST.argon2_memory or memory * passes > MOST.argon2_work:
        raise UnusableHash(
            f"Argon2 takes {MOST.argon2_memory // MIB} MiB here, and {MOST.argon2_work // MIB} MiB times the passes."
        )
    sized_digest(decoded(match["digest"]))
    if len(sized_salt(decoded(match["salt"]))) < LEAST_ARGON2_SALT:
        raise UnusableHash(f"The salt of Argon2 has {LEAST_ARGON2_SALT} bytes at least.")
    return Argon2(match["kind"], match[0])


READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], ForeignHash]], ...] = (
    (BCRYPT, _bcrypt),
    (ARGON2, _argon2),
    (PBKDF2, _pbkdf2),
    (DJANGO_PBKDF2, _django_pbkdf2),
    (SCRYPT, _scrypt),
    (DJANGO_SCRYPT, _text_scrypt),
    (WERKZEUG_PBKDF2, _werkzeug_pbkdf2),
    (WERKZEUG_SCRYPT, _text_scrypt),
    (WORDPRESS, _wordpress),
    (PHPASS, _phpass),
    (ASPNET, _aspnet),
)


def _base64(octets: bytes) -> str:
    return b64encode(octets).decode().rstrip("=")


def _unknown() -> UnusableHash:
    return UnusableHash(
        "This is no password hash that can be used: bcrypt, Argon2, PBKDF2, scrypt or phpass, as docs/import.md lists."
    )
