"""
Devices that a user has signed in from before.

A device token is what the browser or the program keeps to be recognised. It opens nothing: whoever presents one still needs
the password, but has a counter of failures of their own, so that others cannot lock them out.

It ends with the password: whoever has signed in often before a reset would hold as many counters, each good for five guesses at
the new one. The user's epoch grows with every change and reset of the password and with every sign-out everywhere, and is part
of what is signed, so that a token is judged without asking a store for more than the user.

    base64url( version 2 | device id 16 | issued at, seconds 8 | HMAC-SHA-256 32 over these, the user's id and epoch )
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from idp.domain.accounts.users import User

LIFETIME = timedelta(days=180)

_BODY = struct.Struct(">B16sQ")
_EPOCH = struct.Struct(">Q")
_VERSION = 2
_MAC_SIZE = 32
_TEXT_SIZE = (_BODY.size + _MAC_SIZE) * 4 // 3
_OTHER_SPELLINGS = frozenset("+/=")


@dataclass(frozen=True, slots=True)
class Device:
    """*token* is what it presents, and may for *lasts* more."""

    id: bytes
    token: str
    lasts: timedelta


@dataclass(frozen=True, slots=True)
class Devices:
    """*keys*: the first signs, all verify."""

    keys: Sequence[bytes] = field(repr=False)
    now: Callable[[], datetime]

    def recognised(self, token: str | None, user: User) -> Device | None:
        """None unless this server made *token* for *user* with the present password, and not too long ago."""
        raw = _decoded(token) if token else None
        if token is None or raw is None:
            return None
        body, mac = raw[:-_MAC_SIZE], raw[-_MAC_SIZE:]
        version, device_id, issued_at = _BODY.unpack(body)
        genuine = any(hmac.compare_digest(mac, _mac(key, body, user)) for key in self.keys)
        if version != _VERSION or not genuine:
            return None
        lasts = datetime.fromtimestamp(issued_at, UTC) + LIFETIME - self.now()
        return Device(device_id, token, lasts) if lasts > timedelta(0) else None

    def known_from_now_on(self, token: str | None, user: User) -> Device:
        """For who has just proved the password: the device of *token* if it is one of this user's, else a new one."""
        return self.recognised(token, user) or self._new(user)

    def _new(self, user: User) -> Device:
        device_id = secrets.token_bytes(16)
        body = _BODY.pack(_VERSION, device_id, int(self.now().timestamp()))
        token = base64.urlsafe_b64encode(body + _mac(self.keys[0], body, user)).decode("ascii")
        return Device(device_id, token, LIFETIME)


def _decoded(token: str) -> bytes | None:
    # The other alphabet would be a second spelling of the same token, and padding a shorter token.
    if len(token) != _TEXT_SIZE or not _OTHER_SPELLINGS.isdisjoint(token):
        return None
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def _mac(key: bytes, body: bytes, user: User) -> bytes:
    return hmac.digest(key, b"idp device 2" + body + user.id.bytes + _EPOCH.pack(user.auth_epoch), "sha256")
