"""
Password hashes by bcrypt, and the comparison with those of other systems, in a few threads with a short queue.

The scheme is version 2 of passlib's bcrypt_sha256: the password, NFC and UTF-8, goes through HMAC-SHA-256 keyed by the
salt's 22 characters, and the base64 of that through bcrypt with the same salt. bcrypt alone reads 72 bytes and no more;
this reads everything, and a stolen list of plain SHA-256 digests is of no use against it. What is stored,

    $bcrypt-sha256$v=2,t=2b,r=12$SALT22$DIGEST31

is what passlib and libpass write and read.

A hash of 12 rounds takes about 0.3 s of CPU. The threads run at low priority, so that tokens are signed first, and a
caller who would wait longer than the deadline is refused at once rather than late.
"""

from __future__ import annotations

import hmac
import os
import re
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import bcrypt

from idp.domain.accounts.affordable_hashes import FEWEST_ROUNDS, MOST, Argon2, Bcrypt, ForeignHash, UnusableHash
from idp.domain.accounts.password_hashes import BCRYPT_SALT, foreign_hash
from idp.domain.accounts.passwords import Verdict, normalised
from idp.domain.errors import PasswordsBusy
from idp.gateways import password_checks
from idp.gateways.password_checks import bcrypt_digest
from idp.gateways.password_pool import PasswordPool

T = TypeVar("T")

OURS = re.compile(
    rf"\$bcrypt-sha256\$v=2,t=2b,r=(?P<rounds>[1-9][0-9]?)\${BCRYPT_SALT}\$(?P<digest>[./A-Za-z0-9]{{31}})"
)

SECONDS_PER_ITERATION = 70e-6  # measured: 70 ms for 10 rounds, 284 ms for 12
WEIGHT_OF_LATEST = 0.2


@dataclass(frozen=True, slots=True)
class _Ours:
    rounds: int
    salt: str
    digest: str

    def matches(self, password: str) -> bool:
        return hmac.compare_digest(bcrypt_digest(_prepared(password, self.salt), self.rounds, self.salt), self.digest)


def stored_hash(text: str) -> _Ours | ForeignHash:
    """Raises `UnusableHash` for what is no hash of ours or of another system, or would take longer than any we allow."""
    match = OURS.fullmatch(text)
    if match is None:
        return foreign_hash(text)
    if not FEWEST_ROUNDS <= int(match["rounds"]) <= MOST.bcrypt_rounds:
        raise UnusableHash(f"bcrypt takes {FEWEST_ROUNDS} to {MOST.bcrypt_rounds} rounds here.")
    return _Ours(int(match["rounds"]), match["salt"], match["digest"])


class BcryptPasswords:
    """
    `idp.domain.accounts.passwords.Passwords`.

    Hashes of other systems (`idp.domain.accounts.password_hashes`) verify as they are: against the bytes of the password without
    normalisation, and with bcrypt against its first 72 bytes only, because that is all that went into them. They are
    always outdated. *threads* do the work; a caller waits *deadline* at most. *clock* counts seconds. *on_hash* is told
    how many a hash took, in its thread; *on_refused*, that one was not made since too many waited.

    A wrong password for a hash that is cheaper than one of ours is answered after as much work as for an unknown user. One
    that is dearer answers later, until its user has signed in once.
    """

    def __init__(
        self,
        rounds: int,
        threads: int,
        deadline: timedelta = timedelta(seconds=3),
        clock: Callable[[], float] = time.monotonic,
        on_hash: Callable[[float], None] = lambda _: None,
        on_refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._rounds = rounds
        self._unknown_salt = _new_salt()
        self._on_refused = on_refused
        self._seconds_per_iteration = SECONDS_PER_ITERATION
        self._pool = PasswordPool(threads, deadline.total_seconds(), 2**rounds * SECONDS_PER_ITERATION, clock, on_hash)

    @property
    def waiting(self) -> int:
        """How many wait for a thread."""
        return self._pool.waiting

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._hash(password))

    async def verify(self, password: str, stored: str | None) -> Verdict:
        return await self._run(lambda: self._verify(password, stored))

    def close(self) -> None:
        """Whoever still waits is refused; a hash that is running is finished in its thread."""
        self._pool.close()

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await self._pool.run(work)
        except PasswordsBusy:
            self._on_refused()
            raise

    def require_usable(self, stored: str) -> None:
        stored_hash(stored)

    def _hash(self, password: str) -> str:
        salt = _new_salt()
        digest = bcrypt_digest(_prepared(password, salt), self._rounds, salt)
        return f"$bcrypt-sha256$v=2,t=2b,r={self._rounds}${salt}${digest}"

    def _verify(self, password: str, stored: str | None) -> Verdict:
        known = _known(stored)
        if known is None:
            self._work(password, self._rounds)
            return Verdict(matched=False, damaged=stored is not None)
        if isinstance(known, _Ours):
            matched, outdated = known.matches(password), known.rounds < self._rounds
            if not matched:
                self._make_up_for(known.rounds, password)
            return Verdict(matched, outdated=outdated)
        return Verdict(self._verify_foreign(password, known), outdated=True)

    def _verify_foreign(self, password: str, known: ForeignHash) -> bool:
        # Argon2 computes its lanes in threads of its own, and this one only waits for them.
        clock = time.perf_counter if isinstance(known, Argon2) else time.thread_time
        started = clock()
        if password_checks.matches(_utf8(password), known):
            return True
        if isinstance(known, Bcrypt):
            self._make_up_for(known.rounds, password)
        else:
            self._fill_up(clock() - started, password)
        return False

    def _make_up_for(self, done: int, password: str) -> None:
        """A hash of fewer rounds would answer sooner than an unknown user: r rounds and r, r+1 … R-1 more cost as R."""
        for rounds in range(done, self._rounds):
            self._work(password, rounds)

    def _fill_up(self, seconds: float, password: str) -> None:
        """As much bcrypt as is left of one hash of ours after so many *seconds* of this thread."""
        left = 2**self._rounds - seconds / self._seconds_per_iteration
        for rounds in range(self._rounds - 1, FEWEST_ROUNDS - 1, -1):
            if left >= 2**rounds:
                self._work(password, rounds)
                left -= 2**rounds

    def _work(self, password: str, rounds: int) -> None:
        started = time.thread_time()
        bcrypt_digest(_prepared(password, self._unknown_salt), rounds, self._unknown_salt)
        if rounds == self._rounds:
            measured = (time.thread_time() - started) / 2**rounds
            self._seconds_per_iteration += WEIGHT_OF_LATEST * (measured - self._seconds_per_iteration)


def _known(stored: str | None) -> _Ours | ForeignHash | None:
    try:
        return stored_hash(stored) if stored is not None else None
    except UnusableHash:
        return None


def default_threads(workers: int) -> int:
    """For each of *workers* processes: all cores but one among them, and at least one."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, (cores - 1) // workers)


def _new_salt() -> str:
    return bcrypt.gensalt(FEWEST_ROUNDS).decode().rpartition("$")[2]


def _prepared(password: str, salt: str) -> bytes:
    """44 bytes without NUL, whatever the password."""
    return b64encode(hmac.digest(salt.encode(), _utf8(normalised(password)), "sha256"))


def _utf8(password: str) -> bytes:
    # The policy refuses half a surrogate pair; who presents one still gets a plain "wrong password".
    return password.encode("utf-8", "surrogatepass")
