"""
Signing keys: what each one does at an instant.

Only instants are stored, so every process and node that sees the same keys agrees by the clock, without a word between them:

    NEXT      published, signs from `activates_at` on
    ACTIVE    signs: the latest one that has activated and is neither retired nor withdrawn
    RETIRED   signs no more; published until the last token it signed has expired
    EXPIRED   not published, kept for the record
    WITHDRAWN compromised: not published from that instant on, so its tokens are refused

A key that waits signs early when no other key may: better an unknown `kid`, which makes clients ask again, than no token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Protocol

ALGORITHM = "RS256"

# Every process notices a new file, and every clock is right, within this.
MARGIN = timedelta(seconds=60)


class KeyState(StrEnum):
    """In the order in which keys are listed."""

    ACTIVE = "active"
    NEXT = "next"
    RETIRED = "retired"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"

    @property
    def published(self) -> bool:
        return self in (KeyState.ACTIVE, KeyState.NEXT, KeyState.RETIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """*unpublished_at* is the end of its time in the JWKS, None while that is not known."""

    kid: str
    algorithm: str
    bits: int
    state: KeyState
    created_at: datetime
    activates_at: datetime
    unpublished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """What is stored of a key. Instants are aware, in UTC; each counts from that instant on."""

    kid: str
    bits: int
    created_at: datetime
    activates_at: datetime
    retired_at: datetime | None = None
    withdrawn_at: datetime | None = None

    def may_sign(self, at: datetime) -> bool:
        return all(end is None or at < end for end in (self.retired_at, self.withdrawn_at))

    @property
    def instants(self) -> list[datetime]:
        return [at for at in (self.activates_at, self.retired_at, self.withdrawn_at) if at is not None]


class KeySchedule:
    """The states of *records* at any instant. A key is published for *token_lifetime* and `MARGIN` after it last signed."""

    def __init__(self, records: Sequence[KeyRecord], token_lifetime: timedelta) -> None:
        self._records = sorted(records, key=lambda record: (record.activates_at, record.kid))
        self._overlap = token_lifetime + MARGIN
        self._turns = sorted({at for record in records for at in record.instants})

    def signer(self, at: datetime) -> KeyRecord | None:
        usable = [record for record in self._records if record.may_sign(at)]
        begun = [record for record in usable if record.activates_at <= at]
        return begun[-1] if begun else next(iter(usable), None)

    def keys(self, at: datetime) -> list[SigningKey]:
        """Active, next, retired, expired, withdrawn; within a state the latest first."""
        order = list(KeyState)
        keys = [self._key(record, at) for record in reversed(self._records)]
        return sorted(keys, key=lambda key: order.index(key.state))

    def next_change(self, at: datetime) -> datetime | None:
        """The first instant after *at* when `signer` or `keys` may differ."""
        ends = [end for record in self._records if (end := self._unpublished_at(record)) is not None]
        return min((turn for turn in (*self._turns, *ends) if turn > at), default=None)

    def _key(self, record: KeyRecord, at: datetime) -> SigningKey:
        return SigningKey(
            kid=record.kid,
            algorithm=ALGORITHM,
            bits=record.bits,
            state=self._state(record, at),
            created_at=record.created_at,
            activates_at=record.activates_at,
            unpublished_at=self._unpublished_at(record),
        )

    def _state(self, record: KeyRecord, at: datetime) -> KeyState:
        if record.withdrawn_at is not None and record.withdrawn_at <= at:
            return KeyState.WITHDRAWN
        if record is self.signer(at):
            return KeyState.ACTIVE
        if record.activates_at > at and record.may_sign(at):
            return KeyState.NEXT
        unpublished_at = self._unpublished_at(record)
        return KeyState.RETIRED if unpublished_at is None or at < unpublished_at else KeyState.EXPIRED

    def _unpublished_at(self, record: KeyRecord) -> datetime | None:
        if record.withdrawn_at is not None:
            return record.withdrawn_at
        stopped_at = self._stopped_at(record)
        return None if stopped_at is None else stopped_at + self._overlap

    def _stopped_at(self, record: KeyRecord) -> datetime | None:
        """When it signs for the last time; None when that lies open."""
        if record is self.signer(self._turns[-1]):
            return None
        ends = [end for begin, end in pairwise(self._turns) if record is self.signer(begin)]
        return ends[-1] if ends else record.retired_at or record.activates_at


class SigningKeys(Protocol):
    """`rotate` and `retire` work on files and make keys: callers on the event loop run them in a thread."""

    @property
    def version(self) -> int:
        """Grows whenever `published` answers otherwise."""

    def sign(self, payload: bytes, *, typ: str = "at+jwt") -> str:
        """
        A JWS in compact form (RFC 7515, section 3.1), signed RS256 with the active key, header `alg`, `typ`, `kid`.

        Raises `Unavailable` when no key may sign.
        """

    def published(self) -> Sequence[dict[str, str]]:
        """Public JWKs (RFC 7517) with `kty use alg kid n e`: active, next, retired."""

    def list(self) -> Sequence[SigningKey]:
        """Active, next, retired, expired, withdrawn."""

    def rotate(self) -> SigningKey:
        """
        Makes the next key. It is published now and signs one JWKS max-age and `MARGIN` later, or at once when none may sign.

        Raises `Conflict` while another one waits. Keys that expired more than a day ago are deleted.
        """

    def retire(self, kid: str, *, compromised: bool = False) -> SigningKey:
        """
        Ends its signing now; *compromised* ends its publication too, so that its tokens are refused. Raises `NotFound`.

        Retiring the active key lets the next one sign at once, or makes a new one that does.
        """
