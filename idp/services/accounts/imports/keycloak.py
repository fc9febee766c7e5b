"""
Users of a Keycloak realm export (UserRepresentation): `kc.sh export --realm R --users same_file` or `different_files`.

Keycloak's ids are UUIDs and stay, so that `sub` stays. Its realm roles name rights in applications, none here: only those
that the operator names make an administrator.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from idp.domain.accounts.password_hashes import argon2_text, pbkdf2_text
from idp.domain.accounts.user_imports import ImportedUser
from idp.domain.accounts.users import Role, UserStatus
from idp.services.accounts.imports.members import Members, passable_claims, passable_name, within_reach

PBKDF2 = {"pbkdf2": "sha1", "pbkdf2-sha256": "sha256", "pbkdf2-sha512": "sha512"}
VERSIONS = {"1.0": 16, "1.3": 19}
EPOCH = datetime.fromtimestamp(0, UTC)


def user_of(value: Any, admin_roles: Collection[str] = ()) -> ImportedUser | None:
    """None for the account of a service: it is no user. Raises `ValueError`."""
    members = Members(value)
    if "serviceAccountClientId" in members:
        return None
    email = members.email()
    first, last, username = (members.text(name) for name in ("firstName", "lastName", "username"))
    local = email.rpartition("@")[0].strip('"')[:50]
    is_admin = not set(admin_roles).isdisjoint(members.texts("realmRoles"))
    return ImportedUser(
        email=email,
        name=passable_name(" ".join(filter(None, (first, last))), username, local, email[:50]),
        roles=(Role.USER, Role.ADMIN) if is_admin else (Role.USER,),
        status=UserStatus.ACTIVE if members.flag("enabled", True) else UserStatus.DISABLED,
        email_verified=members.flag("emailVerified"),
        password_hash=_password_hash(members),
        claims=passable_claims(given_name=first, family_name=last),
        id=members.id("id"),
        created_at=_created_at(members),
    )


def _created_at(members: Members) -> datetime | None:
    milliseconds = members.number("createdTimestamp")
    if milliseconds is None:
        return None
    try:
        return within_reach(EPOCH + timedelta(milliseconds=milliseconds))
    except (ValueError, OverflowError):
        raise members.fault("createdTimestamp", "The instant lies too far away.") from None


def _password_hash(members: Members) -> str | None:
    """Of the newest password: older ones are there for Keycloak's own history."""
    kept = [Members(each, "credentials.") for each in members.items("credentials")]
    passwords = [each for each in kept if each.text("type") == "password"]
    return _hash_of(passwords[0]) if passwords else None


def _hash_of(credential: Members) -> str:
    data, secret = _document(credential, "credentialData"), _document(credential, "secretData")
    algorithm, iterations = data.text("algorithm"), data.number("hashIterations")
    salt, digest = _octets(secret, "salt"), _octets(secret, "value")
    if algorithm in PBKDF2 and iterations is not None:
        return pbkdf2_text(PBKDF2[algorithm], iterations, salt, digest)
    if algorithm == "argon2" and iterations is not None:
        parameters = data.inner("additionalParameters") or Members({})
        memory, lanes = (_parameter(parameters, name) for name in ("memory", "parallelism"))
        version = VERSIONS.get(_parameter(parameters, "version"), 0)
        kind = _parameter(parameters, "type")
        return argon2_text(kind, version, _whole(memory), iterations, _whole(lanes), salt, digest)
    raise data.fault(
        "algorithm", "Keycloak's pbkdf2, pbkdf2-sha256, pbkdf2-sha512 and argon2 are taken over, no other."
    )


def _document(credential: Members, name: str) -> Members:
    """JSON in a text, within JSON."""
    try:
        return Members(json.loads(credential.text(name) or ""), f"credentials.{name}.")
    except (ValueError, RecursionError):
        raise credential.fault(name, "must be a JSON object in a text.") from None


def _octets(secret: Members, name: str) -> bytes:
    try:
        return b64decode(secret.text(name) or "", validate=True)
    except (binascii.Error, ValueError):
        raise secret.fault(name, "must be base64.") from None


def _parameter(parameters: Members, name: str) -> str:
    return next(iter(parameters.texts(name)), "")


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0
