"""
Signing keys: what each one does at an instant.

A key has one algorithm, and the keys of each algorithm take turns among themselves. Access tokens are RS256, so such a key
always exists; keys of the other algorithms are made when a client first asks for them, for its ID tokens.

Only instants are stored, so every process and node that sees the same keys agrees by the clock, without a word between them:

    NEXT      published, signs from `activates_at` on
    ACTIVE    signs: the latest one of its algorithm that has activated and is neither retired nor withdrawn
    RETIRED   signs no more; published until the last token it signed has expired
    EXPIRED   not published. ID tokens of it still count as hints while a sign-in in a browser from its time may live
    WITHDRAWN compromised: not published from that instant on, and trusted for nothing, so its tokens are refused

A key that waits signs early when no other key of its algorithm may: better an unknown `kid`, which makes clients ask again,
than no token.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Protocol

# Of access tokens, and of ID tokens unless a client chose another.
ALGORITHM = "RS256"
# Names of RFC 7518, section 3.1, and RFC 8037. ES256 is ECDSA on P-256, EdDSA is Ed25519.
ALGORITHMS = (ALGORITHM, "PS256", "ES256", "EdDSA")

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
    algorithm: str = ALGORITHM
    retired_at: datetime | None = None
    withdrawn_at: datetime | None = None

    def may_sign(self, at: datetime) -> bool:
        return all(end is None or at < end for end in (self.retired_at, self.withdrawn_at))

    @property
    def instants(self) -> list[datetime]:
        return [at for at in (self.activates_at, self.retired_at, self.withdrawn_at) if at is not None]


class KeySchedule:
    """
    The states of *records* at any instant, each among those of its algorithm.

    A key is published for *token_lifetime* and `MARGIN` after it last signed, and trusted for hints (`id_token_hint`) for
    *hint_lifetime* and `MARGIN` if that is longer.
    """

    def __init__(
        self, records: Iterable[KeyRecord], token_lifetime: timedelta, hint_lifetime: timedelta = timedelta()
    ) -> None:
        records, overlap = list(records), token_lifetime + MARGIN
        trust = max(overlap, hint_lifetime + MARGIN)
        self._turns = {
            algorithm: Turns([record for record in records if record.algorithm == algorithm], overlap, trust)
            for algorithm in ALGORITHMS
        }

    def signer(self, at: datetime, algorithm: str = ALGORITHM) -> KeyRecord | None:
        return self._turns[algorithm].signer(at)

    def signers(self, at: datetime) -> list[KeyRecord]:
        """One of each algorithm that has one, in the order of `ALGORITHMS`."""
        return [signer for turns in self._turns.values() if (signer := turns.signer(at)) is not None]

    def keys(self, at: datetime) -> list[SigningKey]:
        """Active, next, retired, expired, withdrawn; within a state by algorithm, the latest first."""
        order = list(KeyState)
        keys = [key for turns in self._turns.values() for key in turns.keys(at)]
        return sorted(keys, key=lambda key: order.index(key.state))

    def trusted_for_hints(self, at: datetime) -> list[str]:
        """The ids of the keys with which an ID token may be signed that is presented as a hint."""
        return [kid for turns in self._turns.values() for kid in turns.trusted_for_hints(at)]

    def stopped_at(self, kid: str) -> datetime | None:
        """When that key signed for the last time; None while that lies open."""
        return next((at for turns in self._turns.values() if (at := turns.stopped_at(kid)) is not None), None)

    def next_change(self, at: datetime) -> datetime | None:
        """The first instant after *at* when `signers`, `keys` or `trusted_for_hints` may differ."""
        return min((change for turns in self._turns.values() if (change := turns.next_change(at))), default=None)


class Turns:
    """
    The schedule of one algorithm. *overlap* is for how long a key is published after it last signed, *trust* for how long its
    ID tokens count as hints.
    """

    def __init__(self, records: Sequence[KeyRecord], overlap: timedelta, trust: timedelta) -> None:
        self._records = sorted(records, key=lambda record: (record.activates_at, record.kid))
        self._overlap = overlap
        self._trust = trust
        self._turns = sorted({at for record in records for at in record.instants})

    def signer(self, at: datetime) -> KeyRecord | None:
        usable = [record for record in self._records if record.may_sign(at)]
        begun = [record for record in usable if record.activates_at <= at]
        return begun[-1] if begun else next(iter(usable), None)

    def keys(self, at: datetime) -> list[SigningKey]:
        """The latest first."""
        return [self._key(record, at) for record in reversed(self._records)]

    def trusted_for_hints(self, at: datetime) -> list[str]:
        trusted = ((record.kid, self._ends(record, self._trust)) for record in self._records)
        return [kid for kid, end in trusted if end is None or at < end]

    def stopped_at(self, kid: str) -> datetime | None:
        return next((self._stopped_at(record) for record in self._records if record.kid == kid), None)

    def next_change(self, at: datetime) -> datetime | None:
        spans = (self._overlap, self._trust)
        ends = [end for record in self._records for span in spans if (end := self._ends(record, span)) is not None]
        return min((turn for turn in (*self._turns, *ends) if turn > at), default=None)

    def _key(self, record: KeyRecord, at: datetime) -> SigningKey:
        return SigningKey(
            kid=record.kid,
            algorithm=record.algorithm,
            bits=record.bits,
            state=self._state(record, at),
            created_at=record.created_at,
            activates_at=record.activates_at,
            unpublished_at=self._ends(record, self._overlap),
        )

    def _state(self, record: KeyRecord, at: datetime) -> KeyState:
        if record.withdrawn_at is not None and record.withdrawn_at <= at:
            return KeyState.WITHDRAWN
        if record is self.signer(at):
            return KeyState.ACTIVE
        if record.activates_at > at and record.may_sign(at):
            return KeyState.NEXT
        unpublished_at = self._ends(record, self._overlap)
        return KeyState.RETIRED if unpublished_at is None or at < unpublished_at else KeyState.EXPIRED

    def _ends(self, record: KeyRecord, span: timedelta) -> datetime | None:
        """*span* after it last signed, or when it was withdrawn."""
        if record.withdrawn_at is not None:
            return record.withdrawn_at
        stopped_at = self._stopped_at(record)
        return None if stopped_at is None else stopped_at + span

    def _stopped_at(self, record: KeyRecord) -> datetime | None:
        """When it signs for the last time; None when that lies open."""
        if record is self.signer(self._turns[-1]):
            return None
        ends = [end for begin, end in pairwise(self._turns) if record is self.signer(begin)]
        return ends[-1] if ends else record.retired_at or record.activates_at


class SigningKeys(Protocol):
    """What makes or changes keys works on files: callers on the event loop run it in a thread."""

    @property
    def version(self) -> int:
        """Grows whenever `published` answers otherwise."""

    def sign(self, payload: bytes, *, typ: str = "at+jwt", algorithm: str = ALGORITHM) -> str:
        """
        A JWS in compact form (RFC 7515, section 3.1), signed with the active key of *algorithm*, header `alg`, `typ`, `kid`.

        Raises `Unavailable` when no key of that algorithm may sign.
        """

    def published(self) -> Sequence[dict[str, str]]:
        """
        Public JWKs (RFC 7517): active, next, retired. All have `kty use alg kid`.

        RS256 and PS256 have `n e` (RFC 7518, section 6.3), ES256 `crv x y` (section 6.2), EdDSA `crv x` (RFC 8037).
        """

    def trusted_for_hints(self) -> Sequence[dict[str, str]]:
        """
        Public JWKs with which an ID token counts as a hint: those published, and those that have expired since, for as long as
        a sign-in in a browser from their time may live. No other token is verified with them.
        """

    def list(self) -> Sequence[SigningKey]:
        """Active, next, retired, expired, withdrawn."""

    def provide(self, algorithms: Collection[str]) -> Sequence[SigningKey]:
        """
        What had to be made so that each of *algorithms* has a key that signs, now. Of processes that ask at once one makes it.

        Others learn of it by the next reading of the files. Names that are not in `ALGORITHMS` are passed over.
        """

    def rotate(self, algorithm: str = ALGORITHM) -> SigningKey:
        """
        Makes the next key. It is published now and signs one JWKS max-age and `MARGIN` later, or at once when none may sign.

        Raises `Conflict` while another one waits. Private keys that expired more than a day ago are deleted.
        """

    def rotate_all(self) -> Sequence[SigningKey]:
        """`rotate` for each algorithm that has a key, that of access tokens first; none when it cannot be done for each."""

    def retire(self, kid: str, *, compromised: bool = False) -> SigningKey:
        """
        Ends its signing now; *compromised* ends its publication too, so that its tokens are refused. Raises `NotFound`.

        Retiring the active key lets the next one of its algorithm sign at once, or makes a new one that does.
        """
