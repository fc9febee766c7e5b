"""
Users of Auth0: the export of password hashes that its support hands out (JSON lines), and the file of a bulk import.

    {"_id": {"$oid": "60425dc43519d90068f82973"}, "email": "ada@example.com", "email_verified": true, "passwordHash": "$2b$10$…"}
    [{"email": "ada@example.com", "custom_password_hash": {"algorithm": "scrypt", "hash": {"value": "…", "encoding": "hex"}, …}}]

Auth0's `sub` is `auth0|60425dc4…`, and here it is a UUID: the one that RFC 9562 (version 5) makes of that text in the name
space of URLs, so that applications can compute it from what they have stored.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from idp.domain.accounts.affordable_hashes import UnusableHash
from idp.domain.accounts.password_hashes import scrypt_text
from idp.domain.accounts.user_imports import ImportedUser
from idp.domain.accounts.users import UserStatus
from idp.services.accounts.imports.members import Members, instant, passable_claims, passable_name

CLAIMS = ("given_name", "family_name", "nickname", "picture")
WHOLE_TEXTS = ("bcrypt", "argon2", "pbkdf2")  # the hash names its salt and parameters itself
DATABASE_CONNECTION = "auth0"


def user_of(value: Any) -> ImportedUser:
    """Raises `ValueError`."""
    members = Members(value)
    email = members.email()
    texts = {name: members.text(name) for name in (*CLAIMS, "name")}
    local = email.rpartition("@")[0].strip('"')[:50]
    return ImportedUser(
        email=email,
        name=passable_name(texts.pop("name"), texts["nickname"], local, email[:50]),
        status=UserStatus.DISABLED if members.flag("blocked") else UserStatus.ACTIVE,
        email_verified=members.flag("email_verified"),
        password_hash=_password_hash(members),
        claims=passable_claims(**texts),
        id=subject(members),
        created_at=members.passed("created_at", instant, created) if (created := _created(members)) else None,
    )


def subject(members: Members) -> UUID | None:
    """None when the user has no id there."""
    return uuid5(NAMESPACE_URL, known) if (known := _old_subject(members)) else None


def _old_subject(members: Members) -> str | None:
    user_id = members.text("user_id")
    if user_id is None and (document_id := members.inner("_id")) is not None:
        user_id = document_id.text("$oid")
    if user_id is None:
        return None
    return user_id if "|" in user_id else f"{DATABASE_CONNECTION}|{user_id}"


def _created(members: Members) -> str | None:
    """Either a text or, as MongoDB writes it, `{"$date": …}`."""
    try:
        return members.text("created_at")
    except ValueError:
        inner = members.inner("created_at")
        return inner.text("$date") if inner is not None else None


def _password_hash(members: Members) -> str | None:
    plain = members.text("passwordHash") or members.text("password_hash")
    custom = members.inner("custom_password_hash")
    return plain if plain or custom is None else _custom(custom)


def _custom(custom: Members) -> str:
    algorithm, value = custom.text("algorithm"), custom.inner("hash") or Members({})
    if algorithm in WHOLE_TEXTS:
        return value.text("value") or ""
    if algorithm != "scrypt":
        raise custom.fault("algorithm", "bcrypt, argon2, pbkdf2 and scrypt are taken over, no other.")
    if (password := custom.inner("password")) is not None and password.text("encoding") not in (None, "utf8"):
        raise custom.fault("password", "only passwords in utf8 can be compared.")
    cost, size, lanes = (custom.number(name) or 0 for name in ("cost", "blockSize", "parallelization"))
    try:
        salt = _octets(custom.inner("salt") or Members({}), "salt")
        return scrypt_text(cost or 16384, size or 8, lanes or 1, salt, _octets(value, "hash"))
    except UnusableHash as fault:
        raise custom.fault("cost", str(fault)) from None


def _octets(coded: Members, name: str) -> bytes:
    text, encoding = coded.text("value") or "", coded.text("encoding") or "utf8"
    try:
        if encoding == "hex":
            return bytes.fromhex(text)
        return b64decode(text, validate=True) if encoding == "base64" else text.encode()
    except (binascii.Error, ValueError):
        raise ValueError(f"custom_password_hash.{name}: must be {encoding}.") from None
