"""Users as other systems export them, made by the algorithms that those name."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import argon2
import bcrypt
from passlib.hash import pbkdf2_sha256, phpass, scrypt

PASSWORD = "Correct-Horse-7"
SALT = b"sixteen bytes!!!"


def new_email() -> str:
    return f"user-{secrets.token_hex(8)}@example.com"


def bcrypt_hash(password: str = PASSWORD) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


# Version 3: SHA-256, 10 iterations, a salt of 16 bytes.
ASPNET_HEAD = bytes.fromhex("01 00000001 0000000a 00000010")


def hashes() -> dict[str, str]:
    return {
        "bcrypt": bcrypt_hash().replace("$2b$", "$2y$"),
        "argon2": argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD),
        "pbkdf2": pbkdf2_sha256.using(rounds=100).hash(PASSWORD),
        "scrypt": scrypt.using(rounds=4).hash(PASSWORD),
        "Spring": "{bcrypt}" + bcrypt_hash(),
        "WordPress": "$wp" + bcrypt_hash(b64encode(hmac.digest(b"wp-sha384", PASSWORD.encode(), "sha384")).decode()),
        "phpass": phpass.using(rounds=7).hash(PASSWORD),
        "Werkzeug": "scrypt:1024:8:1$94CNdNhjDUslO3Fh$d3481094abd55d291b098849566"
        "b7dc06e706af65c385bc83631227b580cd75583b78149119917009f6283cab42d8be2ae156e268f193d3320efe9b1385134a5",
        "ASP.NET": b64encode(ASPNET_HEAD + SALT + hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), SALT, 10)).decode(),
    }


def lines(folder: Path, *users: Mapping[str, Any]) -> str:
    """The name of a new file of JSON lines."""
    file = folder / f"{secrets.token_hex(6)}.jsonl"
    file.write_text("".join(json.dumps(user) + "\n" for user in users))
    return str(file)


def keycloak_user(email: str, credential: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """As Keycloak 26 writes it."""
    return {
        "username": email.partition("@")[0],
        "firstName": "Ada",
        "lastName": "Lovelace",
        "email": email,
        "emailVerified": True,
        "createdTimestamp": 1_700_000_000_123,
        "enabled": True,
        "totp": False,
        "credentials": [credential] if credential else [],
        "disableableCredentialTypes": [],
        "requiredActions": [],
        "realmRoles": ["default-roles-example"],
        "notBefore": 0,
        "groups": [],
    } | more


def keycloak_pbkdf2(algorithm: str, iterations: int = 100) -> dict[str, Any]:
    digest = {"pbkdf2": "sha1", "pbkdf2-sha256": "sha256", "pbkdf2-sha512": "sha512"}[algorithm]
    value = hashlib.pbkdf2_hmac(digest, PASSWORD.encode(), SALT, iterations, 64)
    data = {"hashIterations": iterations, "algorithm": algorithm, "additionalParameters": {}}
    return _keycloak_credential(value, data)


def keycloak_argon2() -> dict[str, Any]:
    value = argon2.low_level.hash_secret_raw(PASSWORD.encode(), SALT, 5, 64, 1, 32, argon2.Type.ID)
    parameters = {"hashLength": ["32"], "memory": ["64"], "type": ["id"], "version": ["1.3"], "parallelism": ["1"]}
    return _keycloak_credential(value, {"hashIterations": 5, "algorithm": "argon2", "additionalParameters": parameters})


def _keycloak_credential(value: bytes, data: Mapping[str, Any]) -> dict[str, Any]:
    secret = {"value": b64encode(value).decode(), "salt": b64encode(SALT).decode(), "additionalParameters": {}}
    return {
        "id": "5a0b8a2e-8f1c-4d6e-9a57-2b8a7b0a7c11",
        "type": "password",
        "userLabel": "My password",
        "createdDate": 1_700_000_000_123,
        "secretData": json.dumps(secret),
        "credentialData": json.dumps(data),
    }


def keycloak_realm(users: list[dict[str, Any]], *, indented: bool = True) -> str:
    realm = {"id": "example", "realm": "example", "roles": {"realm": []}, "users": users, "scopeMappings": []}
    return json.dumps(realm, indent=2 if indented else None)


def auth0_user(email: str, **more: Any) -> dict[str, Any]:
    """A line of the export of password hashes."""
    return {
        "_id": {"$oid": secrets.token_hex(12)},
        "email_verified": True,
        "email": email,
        "passwordHash": bcrypt_hash(),
        "password_set_date": {"$date": "2021-03-05T16:35:16.775Z"},
        "tenant": "example",
        "connection": "Username-Password-Authentication",
        "_tmp_is_unique": True,
    } | more


def auth0_scrypt() -> dict[str, Any]:
    digest = hashlib.scrypt(PASSWORD.encode(), salt=b"salt", n=16, r=8, p=1, dklen=64)
    return {
        "algorithm": "scrypt",
        "hash": {"value": digest.hex(), "encoding": "hex"},
        "salt": {"value": "salt", "encoding": "utf8"},
        "keylen": 64,
        "cost": 16,
        "blockSize": 8,
        "parallelization": 1,
    }
