"""
Signing keys in a folder of files (`idp.domain.operation.signing_keys.SigningKeys`).

What signs and what is published is worked out once and holds until a file changes or the clock passes the next turn, so
a signature costs the operation of the key and two base64 encodings.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from idp.domain.errors import Conflict, InvalidKeyFile, NotFound, Unavailable
from idp.domain.operation.signing_keys import (
    ALGORITHM,
    ALGORITHMS,
    MARGIN,
    KeySchedule,
    KeyState,
    SigningKey,
    SigningKeys,
)
from idp.gateways.key_file_format import SHORTEST, StoredKey, new_key, public_half
from idp.gateways.key_folder import KeyFolder, Listing
from idp.gateways.key_set import KeySet, Signer

__all__ = ["KeyFiles", "Signer"]

KEPT_AFTER_EXPIRY = timedelta(days=1)


class KeyFiles(SigningKeys):
    """
    *bits* is the size of new RSA keys. *publish_ahead* is the JWKS max-age, *token_lifetime* the longest of any signed token,
    *hint_lifetime* the longest of a sign-in in a browser. Without *provision* no key is made here: nodes with copies of a
    folder would each make their own.

    *on_fault* hears once of each fault that a reload finds; meanwhile the keys that were good stay in use.
    """

    def __init__(
        self,
        folder: Path,
        *,
        bits: int = SHORTEST,
        provision: bool = True,
        publish_ahead: timedelta,
        token_lifetime: timedelta,
        hint_lifetime: timedelta = timedelta(),
        now: Callable[[], datetime],
        on_fault: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._folder = KeyFolder(folder)
        self._bits = bits
        self._provision = provision
        self._publish_ahead = publish_ahead + MARGIN
        self._token_lifetime = token_lifetime
        self._hint_lifetime = hint_lifetime
        self._now = now
        self._on_fault = on_fault
        self._stored: dict[str, StoredKey] = {}
        self._listing: Listing | None = None
        self._fault: str | None = None
        self._set = KeySet()
        self._reading = threading.RLock()
        self._settling = threading.Lock()

    @property
    def version(self) -> int:
        return self._current().version

    def sign(self, payload: bytes, *, typ: str = "at+jwt", algorithm: str = ALGORITHM) -> str:
        signer = self._current().signers.get(algorithm)
        if signer is None:
            raise Unavailable(reason=f"no signing key for {algorithm}: run `idp keys rotate --algorithm {algorithm}`")
        return signer.sign(payload, typ)

    def published(self) -> list[dict[str, str]]:
        return [dict(jwk) for jwk in self._current().published]

    def trusted_for_hints(self) -> list[dict[str, str]]:
        return [dict(jwk) for jwk in self._current().trusted_for_hints]

    def list(self) -> tuple[SigningKey, ...]:
        return self._current().keys

    def load(self) -> None:
        """
        Reads the folder, and makes the first key for access tokens when none may sign. Any number of processes may do so at once.

        Raises `InvalidKeyFile` for a file that must not be used, or a folder that cannot be, and when a key must not be made.
        """
        with self._reading:
            self._folder.prepare()
            stored = self._folder.read()
            if not self._may_sign(stored):
                with self._folder.locked():
                    if not self._may_sign(self._folder.read()):
                        self._make(ALGORITHM, activates_at=self._now())
            self._take()

    def reload(self) -> bool:
        """True when changed files were taken into use. Costs one listing of the folder when nothing has changed."""
        with self._reading:
            try:
                changed = self._read_if_changed()
            except (InvalidKeyFile, OSError) as fault:
                self._report(str(fault))
                changed = False
        self._current()
        return changed

    async def watch(self, every: float = 1.0) -> None:
        """Follows files and clock until it is cancelled; *every* is in seconds."""
        while True:
            await asyncio.sleep(every)
            await asyncio.to_thread(self.reload)

    def provide(self, algorithms: Collection[str]) -> tuple[SigningKey, ...]:
        if self._current().signers.keys() >= set(algorithms) & set(ALGORITHMS):
            return ()
        with self._changing() as stored:
            now = self._now()
            schedule = self._schedule(stored)
            missing = [name for name in ALGORITHMS if name in algorithms and schedule.signer(now, name) is None]
            made = [self._make(algorithm, activates_at=now) for algorithm in missing]
        return tuple(self._find(key.record.kid) for key in made)

    def rotate(self, algorithm: str = ALGORITHM) -> SigningKey:
        (made,) = self._rotate([algorithm])
        return made

    def rotate_all(self) -> tuple[SigningKey, ...]:
        return self._rotate(None)

    def _rotate(self, algorithms: Collection[str] | None) -> tuple[SigningKey, ...]:
        """Of each algorithm that signs when None."""
        with self._changing() as stored:
            now = self._now()
            schedule = self._schedule(stored)
            signing = [signer.algorithm for signer in schedule.signers(now)]
            chosen = signing if algorithms is None else algorithms
            for key in schedule.keys(now):
                if key.state is KeyState.NEXT and key.algorithm in chosen:
                    raise Conflict(f"Key {key.kid} waits already. It signs from {key.activates_at.isoformat()} on.")
            ahead = now + self._publish_ahead
            made = [self._make(each, activates_at=ahead if each in signing else now) for each in chosen]
            for kid in _long_expired(schedule.keys(now), now):
                self._forget(stored[kid], schedule, now)
        return tuple(self._find(key.record.kid) for key in made)

    def retire(self, kid: str, *, compromised: bool = False) -> SigningKey:
        with self._changing() as stored:
            if kid not in stored:
                raise NotFound(f"There is no signing key {kid}.")
            now = self._now()
            algorithm = stored[kid].record.algorithm
            states = {key.kid: key.state for key in self._schedule(stored).keys(now) if key.algorithm == algorithm}
            # The successor is written first: killed in between, the server still has a key that signs.
            if states[kid] is KeyState.ACTIVE:
                waiting = [stored[other] for other, state in states.items() if state is KeyState.NEXT]
                self._promote(waiting, algorithm, now)
            self._end(stored[kid], states[kid], compromised=compromised, now=now)
        return self._find(kid)

    def _promote(self, waiting: Iterable[StoredKey], algorithm: str, now: datetime) -> None:
        earliest = min(waiting, key=lambda key: key.record.activates_at, default=None)
        if earliest is None:
            self._make(algorithm, activates_at=now)
        else:
            self._folder.save(replace(earliest, record=replace(earliest.record, activates_at=now)))

    def _end(self, key: StoredKey, state: KeyState, *, compromised: bool, now: datetime) -> None:
        record = key.record
        if state in (KeyState.ACTIVE, KeyState.NEXT):
            record = replace(record, retired_at=now)
        if compromised and state is not KeyState.WITHDRAWN:
            record = replace(record, withdrawn_at=now)
        if record is not key.record:
            self._folder.save(replace(key, record=record))

    def _forget(self, key: StoredKey, schedule: KeySchedule, now: datetime) -> None:
        """Its private half; the public one too, once no hint can be of its time."""
        kid = key.record.kid
        if kid not in schedule.trusted_for_hints(now):
            self._folder.remove(key)
        elif key.private is not None:
            self._folder.save(public_half(key, schedule.stopped_at(kid) or now))

    def _make(self, algorithm: str, *, activates_at: datetime) -> StoredKey:
        if not self._provision:
            raise InvalidKeyFile(
                f"{self._folder.path}: a key for {algorithm} is missing, and IDP_KEYS_PROVISION=false lets this server make "
                f"none. Make it once with `idp keys rotate --algorithm {algorithm}`, and copy it to every node."
            )
        made = new_key(
            self._folder.path,
            algorithm=algorithm,
            bits=self._bits,
            created_at=self._now(),
            activates_at=activates_at,
        )
        self._folder.save(made)
        return made

    @contextmanager
    def _changing(self) -> Iterator[dict[str, StoredKey]]:
        """The keys as they are now, while nobody else writes; afterwards what was changed is in use."""
        with self._reading:
            with self._folder.locked():
                yield self._folder.read()
            self._take()

    def _take(self) -> None:
        listing = self._folder.listing()
        self._settle(self._folder.read())
        self._listing, self._fault = listing, None

    def _read_if_changed(self) -> bool:
        known, self._listing = self._listing, None
        listing = self._folder.listing()
        self._listing = listing
        if listing == known:
            return False
        stored = self._folder.read()
        if not self._may_sign(stored):
            raise InvalidKeyFile(
                f"{self._folder.path}: no key in it may sign {ALGORITHM}. Restore its files, or run `idp keys rotate`."
            )
        self._settle(stored)
        self._fault = None
        return True

    def _report(self, fault: str) -> None:
        if fault != self._fault:
            self._fault = fault
            self._on_fault(fault)

    def _find(self, kid: str) -> SigningKey:
        return next(key for key in self.list() if key.kid == kid)

    def _may_sign(self, stored: Mapping[str, StoredKey]) -> bool:
        return self._schedule(stored).signer(self._now()) is not None

    def _schedule(self, stored: Mapping[str, StoredKey]) -> KeySchedule:
        return KeySchedule([key.record for key in stored.values()], self._token_lifetime, self._hint_lifetime)

    def _current(self) -> KeySet:
        current = self._set
        if current.since <= self._now() < current.until:
            return current
        return self._settle()

    def _settle(self, stored: dict[str, StoredKey] | None = None) -> KeySet:
        """Works out what holds now. Runs on the event loop when the clock passes a turn, in a thread when files changed."""
        with self._settling:
            self._stored = self._stored if stored is None else stored
            self._set = self._set.followed_by(self._stored, self._schedule(self._stored), self._now())
            return self._set


def _long_expired(keys: Iterable[SigningKey], now: datetime) -> Iterator[str]:
    for key in keys:
        if key.state is KeyState.EXPIRED and key.unpublished_at and now - key.unpublished_at > KEPT_AFTER_EXPIRY:
            yield key.kid
