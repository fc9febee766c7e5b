"""The secret that everything is derived from, and the files that secrets come in."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from idp.domain.operation.checklist import Item
from idp.domain.operation.diagnosis import Check, Verdict
from idp.settings import Settings
from idp.settings.fields import SETTINGS

FEWEST_DIFFERENT = 10  # bytes: 32 random hexadecimal digits have fewer once in ten thousand
MOST_SECRETS = 2
OLDEST_FILE = timedelta(days=365)


def judged(settings: Settings) -> Iterator[Check]:
    yield _secret(settings)
    yield _rotation(settings)
    yield _files()


def _secret(settings: Settings) -> Check:
    remedy = "Set IDP_SECRET; `openssl rand -hex 32` makes one."
    if not settings.secrets:
        finding = "The secret is a file in IDP_DATA_DIR: other nodes would not know it."
        return Check(Item.SECRET, Verdict.WARNING, finding, remedy)
    if any(len(set(secret)) < FEWEST_DIFFERENT for secret in settings.secrets):
        finding = "A secret has so few different letters that it can be guessed."
        return Check(Item.SECRET, Verdict.UNSAFE, finding, remedy)
    return Check(Item.SECRET, Verdict.OK, "It is long enough and has many different letters.")


def _rotation(settings: Settings) -> Check:
    if len(settings.secrets) > MOST_SECRETS:
        finding = f"{len(settings.secrets)} secrets are accepted: each of them opens everything."
        remedy = "Take out those that are older than IDP_REFRESH_TOKEN_TTL: docs/key-rotation.md."
        return Check(Item.SECRET_ROTATION, Verdict.WARNING, finding, remedy)
    file = os.environ.get("IDP_SECRET_FILE", "").strip()
    if file and Path(file).exists() and (age := _age(Path(file))) > OLDEST_FILE:
        finding = f"The file of the secret is {age.days} days old."
        return Check(Item.SECRET_ROTATION, Verdict.NOTE, finding, "Rotate it: docs/key-rotation.md.")
    words = "One secret" if len(settings.secrets) < MOST_SECRETS else "A new secret signs, the old one"
    return Check(Item.SECRET_ROTATION, Verdict.OK, f"{words} is accepted.")


def _age(file: Path) -> timedelta:
    return datetime.now(UTC) - datetime.fromtimestamp(file.stat().st_mtime, UTC)


def _files() -> Check:
    named = {setting.file_name: os.environ.get(setting.file_name, "").strip() for setting in SETTINGS if setting.secret}
    files = {name: Path(file) for name, file in named.items() if file and Path(file).exists()}
    modes = {name: stat.S_IMODE(file.stat().st_mode) for name, file in files.items()}
    writable = [name for name, mode in modes.items() if mode & 0o022]
    if writable:
        finding = f"Other users can write the file of {', '.join(writable)}."
        return Check(Item.SECRET_FILES, Verdict.UNSAFE, finding, "Run chmod 400 on it.")
    readable = [name for name, mode in modes.items() if mode & 0o004]
    if readable:
        finding = f"Every user of this machine can read the file of {', '.join(readable)}."
        return Check(Item.SECRET_FILES, Verdict.NOTE, finding, "Run chmod 400 on it; inside a container it may stay.")
    finding = "Secrets in files are closed to other users." if modes else "No secret comes from a file."
    return Check(Item.SECRET_FILES, Verdict.OK, finding)
