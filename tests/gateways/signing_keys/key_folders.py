"""Folders of signing keys, and a clock that tests turn."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from idp.domain.operation.signing_keys import ALGORITHM, MARGIN, KeyState
from idp.gateways.key_files import KeyFiles

MAX_AGE = timedelta(minutes=5)
TOKEN_LIFETIME = timedelta(minutes=15)
OVERLAP = TOKEN_LIFETIME + MARGIN
AHEAD = MAX_AGE + MARGIN
SECOND = timedelta(seconds=1)

OPEN_FOLDER = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from idp.gateways.key_files import KeyFiles
keys = KeyFiles(
    Path(sys.argv[1]),
    publish_ahead=timedelta(minutes=5),
    token_lifetime=timedelta(minutes=15),
    now=lambda: datetime.now(UTC),
)
"""


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, span: timedelta) -> None:
        self.at += span


def put(path: Path, content: bytes, at: datetime | None = None, mode: int = 0o600) -> Path:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(content)
    new.chmod(mode)
    if at is not None:
        os.utime(new, (at.timestamp(), at.timestamp()))
    return new.replace(path)


def only_file(folder: Path) -> Path:
    (file,) = folder.glob("*.json")
    return file


def pem(private: Any, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    content: bytes = private.private_bytes(Encoding.PEM, form, NoEncryption())
    return content


def rsa_pem(form: PrivateFormat = PrivateFormat.PKCS8, bits: int = 2048) -> bytes:
    return pem(rsa.generate_private_key(65537, bits), form)


def states(keys: KeyFiles) -> dict[str, KeyState]:
    return {key.kid: key.state for key in keys.list()}


def published(keys: KeyFiles, algorithm: str = ALGORITHM) -> list[str]:
    return [jwk["kid"] for jwk in keys.published() if jwk["alg"] == algorithm]


def signer(keys: KeyFiles, algorithm: str = ALGORITHM) -> str:
    return jwt.get_unverified_header(keys.sign(b"{}", algorithm=algorithm))["kid"]
