"""
Keys for each use, derived from the one configured secret.

HKDF (RFC 5869) with the use's name, so that what leaks of one use says nothing of another. The secret is a list, newest
first: every use signs with the first and accepts all, so that rotating it signs nobody out.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

REFRESH_TOKENS = "refresh tokens"
DEMO_CLIENT = "demo client"
LIMITS = "limits"
IDENTIFIERS = "identifiers"
DEVICES = "devices"
CURSORS = "cursors"
FORMS = "forms"
PLACES = "places"


def derived(secret_list: Sequence[bytes], use: str) -> list[bytes]:
    """One 256-bit key for each secret, in their order."""
    return [HKDF(hashes.SHA256(), 32, salt=None, info=f"idp: {use}".encode()).derive(secret) for secret in secret_list]


def made_once(file: Path) -> bytes:
    """The secret in *file*; made, for its owner only, by whoever comes first. For development: production names its own."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    if not file.exists():
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(secrets.token_urlsafe(48).encode())
        with suppress(FileExistsError):
            os.link(draft, file)  # unlike a rename, a link never replaces what another process put there first
        draft.unlink()
    return file.read_bytes().strip()
