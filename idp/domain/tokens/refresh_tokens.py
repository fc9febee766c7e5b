"""
Refresh tokens and their families.

A family is one sign-in of one user at one client. Each exchange retires the token presented and names its one successor.
A retired token that comes back means that two parties hold the family, so the family ends (RFC 9700, section 4.14.2).

A token says who it is and carries a MAC, so a forged one is refused without asking a store, and a token newer than what a
store remembers proves that the store lost writes:

    idp_rt_ base64url( version 1 | key id 1 | family id 16 | generation 4 | issued at, ms 8 | nonce 16 | HMAC-SHA-256 32 )

How a presented token meets the family's watermark (generation g with nonce n, predecessor's nonce pn):

    newer than g            the store lost writes: roll FORWARD, unless it was issued before g moved (FORK: family ends)
    g with nonce n          OK, rotate
    g with another nonce    FORK: family ends
    g-1 with nonce pn       within the grace REISSUE the same successor, without end to the place that g-1 was retired from,
                            to any other place in at most `IDP_REFRESH_REPEATS` generations in a row; else REUSE
    anything older          REUSE: family ends

Two tabs with one timer present the same token at every refresh, for hours: all these calls come from one place. A thief in
step with the owner does the same from another place, whoever of the two comes first, and ends the family.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from idp.domain.operation.limits import Decision

PREFIX = "idp_rt_"
_BODY = struct.Struct(">BB16sIQ16s")
_VERSION = 1
_MAC_SIZE = 32
_SIZE = _BODY.size + _MAC_SIZE
_TEXT_SIZE = len(PREFIX) + _SIZE * 4 // 3
NONCE_SIZE = 16
_OTHER_SPELLINGS = frozenset("+/=")


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """What an authentic token says. *issued_at* is in milliseconds of the store's clock."""

    family_id: UUID
    generation: int
    issued_at: int
    nonce: bytes


class RefreshTokenFormat:
    """Writes tokens under the newest key and reads them under any: rotating the secret signs nobody out."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = [(hashlib.sha256(b"key id" + key).digest()[0], key) for key in keys]

    def write(self, token: RefreshToken) -> str:
        key_id, key = self._keys[0]
        body = _BODY.pack(_VERSION, key_id, token.family_id.bytes, token.generation, token.issued_at, token.nonce)
        return PREFIX + base64.urlsafe_b64encode(body + _mac(key, body)).decode("ascii").rstrip("=")

    def read(self, presented: str) -> RefreshToken | None:
        """None for anything that no key of this server signed, and for every other spelling of one that was signed."""
        # base64 with other letters for 62 and 63 still reads the usual two: they would be a second spelling. Padding
        # would stand for a shorter token.
        if (
            len(presented) != _TEXT_SIZE
            or not presented.startswith(PREFIX)
            or not _OTHER_SPELLINGS.isdisjoint(presented)
        ):
            return None
        try:
            raw = base64.b64decode(presented[len(PREFIX) :], altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        body, mac = raw[:-_MAC_SIZE], raw[-_MAC_SIZE:]
        version, key_id, family, generation, issued_at, nonce = _BODY.unpack(body)
        if version != _VERSION or not any(
            known == key_id and hmac.compare_digest(mac, _mac(key, body)) for known, key in self._keys
        ):
            return None
        return RefreshToken(UUID(bytes=family), generation, issued_at, nonce)


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, b"idp refresh token 1" + body, "sha256")


class Outcome(StrEnum):
    """What a rotation did; the first four name a successor."""

    OK = "OK"
    REISSUE = "REISSUE"
    FORWARD = "FORWARD"
    REBUILT = "REBUILT"
    MISSING = "MISSING"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    CLIENT = "CLIENT"
    REUSE = "REUSE"
    FORK = "FORK"
    LIMITED = "LIMITED"


@dataclass(frozen=True, slots=True)
class Rotation:
    """
    *successor* is set for the outcomes that name one; *reason* is why a REVOKED family had been revoked; *decision* is that of
    the limit on the user's refreshes, where there is one and it was asked.
    """

    outcome: Outcome
    successor: RefreshToken | None = None
    reason: str | None = None
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where a token is presented: two calls come from one place if their network addresses are counted as one by the limits
    and their user agents are the same. Without an address it is unknown, and unlike any other.
    """

    address: str | None = None
    user_agent: str | None = None


UNKNOWN = Place()


class Families(Protocol):
    """The fast half of a family: its watermark. Forgetting it loses no session and revives none: `Sessions` has the record."""

    async def start(
        self, family_id: UUID, user_id: UUID, client_id: str, nonce: bytes, expires_at: datetime
    ) -> RefreshToken | None:
        """The first token; None if the family has ended already. Asked again with the same nonce it answers the same."""

    async def rotate(
        self,
        presented: RefreshToken,
        user_id: UUID,
        client_id: str,
        nonce: bytes,
        *,
        place: Place = UNKNOWN,
        rebuild_until: datetime | None = None,
    ) -> Rotation:
        """
        Retire *presented*, from *place*, and name its successor, in one step that no other call can enter.

        *nonce* is the proposal for the successor: asked again with the same one (a lost answer) the same successor is named.
        An unknown family is MISSING, unless *rebuild_until* (its expiry, from the live record) allows to remember it again.
        One refresh too many of that user is LIMITED: nothing was retired, the same token may be presented again later.
        Raises `StoreUnavailable` when the outcome is unknown: the caller must not tell the client that the token is dead.
        """

    async def look(self, presented: RefreshToken, user_id: UUID) -> Outcome:
        """
        What *presented* is to its family, which stays as it is: OK and FORWARD could be rotated, MISSING is unknown here,
        all others could not; a predecessor within its grace is none of these two.
        """

    async def end(self, family_id: UUID, user_id: UUID, reason: str, expires_at: datetime) -> None:
        """Leave a tombstone until *expires_at*, also for a family that the store does not know."""
