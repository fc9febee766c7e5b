"""
Password hashes by bcrypt, in a few threads with a short queue.

The scheme is version 2 of passlib's bcrypt_sha256: the password, NFC and UTF-8, goes through HMAC-SHA-256 keyed by the
salt's 22 characters, and the base64 of that through bcrypt with the same salt. bcrypt alone reads 72 bytes and no more;
this reads everything, and a stolen list of plain SHA-256 digests is of no use against it. What is stored,

    $bcrypt-sha256$v=2,t=2b,r=12$SALT22$DIGEST31

is what passlib and libpass write and read.

A hash of 12 rounds takes about 0.3 s of CPU. The threads run at low priority, so that tokens are signed first, and a
caller who would wait longer than the deadline is refused at once rather than late.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import re
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import TypeVar

import bcrypt

from idp.domain.errors import PasswordsBusy
from idp.domain.passwords import Verdict, normalised

T = TypeVar("T")

# The salt's last character carries two bits, so only four of the 64 are possible; bcrypt refuses the others.
SALT = r"(?P<salt>[./A-Za-z0-9]{21}[.Oeu])"
OURS = re.compile(rf"\$bcrypt-sha256\$v=2,t=2b,r=(?P<rounds>[1-9][0-9]?)\${SALT}\$(?P<digest>[./A-Za-z0-9]{{31}})")
IMPORTED = re.compile(rf"\$2[aby]\$(?P<rounds>[0-9]{{2}})\${SALT}(?P<digest>[./A-Za-z0-9]{{31}})")

FEWEST_ROUNDS, MOST_ROUNDS = 4, 16
BCRYPT_READS = 72

SECONDS_PER_ITERATION = 70e-6  # measured: 70 ms for 10 rounds, 284 ms for 12
WEIGHT_OF_LATEST = 0.2
NICENESS = 10


@dataclass(frozen=True, slots=True)
class _Stored:
    rounds: int
    salt: str
    digest: str
    imported: bool

    @classmethod
    def parsed(cls, text: str) -> _Stored | None:
        """None if *text* is no hash of ours or of plain bcrypt, or would take longer than any that we would make."""
        match = OURS.fullmatch(text) or IMPORTED.fullmatch(text)
        if match is None or not FEWEST_ROUNDS <= int(match["rounds"]) <= MOST_ROUNDS:
            return None
        return cls(int(match["rounds"]), match["salt"], match["digest"], imported=match.re is IMPORTED)

    def matches(self, password: str) -> bool:
        # Other systems hashed the bytes as they came and bcrypt read the first 72 of them; ours are prepared.
        presented = _utf8(password)[:BCRYPT_READS] if self.imported else _prepared(password, self.salt)
        return hmac.compare_digest(_digest(presented, self.rounds, self.salt), self.digest)


class BcryptPasswords:
    """
    `idp.domain.passwords.Passwords`.

    Imported `$2a$`, `$2b$` and `$2y$` hashes of 4 to 16 rounds verify as they are: against the bytes of the password
    without normalisation, and against its first 72 bytes only, because that is all that went into them. They are
    always outdated. *threads* run bcrypt; a caller waits *deadline* at most. *clock* counts seconds. *on_hash* is told
    how many a hash took, in its thread; *on_refused*, that one was not made since too many waited.
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
        self._pool = _Pool(threads, deadline.total_seconds(), 2**rounds * SECONDS_PER_ITERATION, clock, on_hash)

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

    def _hash(self, password: str) -> str:
        salt = _new_salt()
        digest = _digest(_prepared(password, salt), self._rounds, salt)
        return f"$bcrypt-sha256$v=2,t=2b,r={self._rounds}${salt}${digest}"

    def _verify(self, password: str, stored: str | None) -> Verdict:
        known = _Stored.parsed(stored) if stored is not None else None
        if known is None:
            self._work(password, self._rounds)
            return Verdict(matched=False, damaged=stored is not None)
        matched = known.matches(password)
        if not matched:
            self._make_up_for(known, password)
        return Verdict(matched, outdated=known.imported or known.rounds < self._rounds)

    def _make_up_for(self, known: _Stored, password: str) -> None:
        """A hash of fewer rounds would answer sooner than an unknown user: r rounds and r, r+1 … R-1 more cost as R."""
        for rounds in range(known.rounds, self._rounds):
            self._work(password, rounds)

    def _work(self, password: str, rounds: int) -> None:
        _digest(_prepared(password, self._unknown_salt), rounds, self._unknown_salt)


class _Pool:
    """Threads with a queue no longer than what they can do before the deadline."""

    def __init__(
        self,
        threads: int,
        deadline: float,
        first_guess: float,
        clock: Callable[[], float],
        on_done: Callable[[float], None],
    ) -> None:
        self._threads, self._deadline, self._clock, self._on_done = threads, deadline, clock, on_done
        self._executor = ThreadPoolExecutor(threads, "bcrypt", initializer=_let_others_go_first)
        self._lock = threading.Lock()
        self._average = first_guess
        self._waiting = 0
        self._closed = False

    @property
    def waiting(self) -> int:
        return self._waiting

    async def run(self, work: Callable[[], T]) -> T:
        """The result of *work*, which never starts if its caller is cancelled before. Raises `PasswordsBusy`."""
        return await asyncio.wrap_future(self._submitted(work))

    def close(self) -> None:
        with self._lock:
            self._closed = True
        # Cancelling them would look to their callers as if they themselves had been cancelled.
        self._executor.shutdown(wait=False, cancel_futures=False)

    def _submitted(self, work: Callable[[], T]) -> Future[T]:
        with self._lock:
            wait = self._waiting * self._average / self._threads
            if self._closed or wait > self._deadline:
                raise _busy(wait)
            self._waiting += 1
            job = self._executor.submit(self._started, work, self._clock())
        job.add_done_callback(self._forget_if_cancelled)
        return job

    def _started(self, work: Callable[[], T], submitted_at: float) -> T:
        started_at = self._clock()
        with self._lock:
            self._waiting -= 1
            wait = self._waiting * self._average / self._threads
            refused = self._closed or started_at - submitted_at > self._deadline
        if refused:
            raise _busy(wait)
        result = work()
        self._learn(self._clock() - started_at)
        return result

    def _learn(self, duration: float) -> None:
        self._on_done(duration)
        with self._lock:
            self._average += WEIGHT_OF_LATEST * (duration - self._average)

    def _forget_if_cancelled(self, job: Future[T]) -> None:
        if job.cancelled():
            with self._lock:
                self._waiting -= 1


def default_threads(workers: int) -> int:
    """For each of *workers* processes: all cores but one among them, and at least one."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, (cores - 1) // workers)


def _busy(wait: float) -> PasswordsBusy:
    busy = PasswordsBusy(reason="the queue for bcrypt is longer than its deadline")
    busy.retry_after = max(1, ceil(wait))
    return busy


def _let_others_go_first() -> None:
    # Only Linux gives each thread its own niceness; elsewhere this would be another process.
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _new_salt() -> str:
    return bcrypt.gensalt(FEWEST_ROUNDS).decode().rpartition("$")[2]


def _digest(presented: bytes, rounds: int, salt: str) -> str:
    return bcrypt.hashpw(presented, f"$2b${rounds:02}${salt}".encode())[-31:].decode()


def _prepared(password: str, salt: str) -> bytes:
    """44 bytes without NUL, whatever the password."""
    return b64encode(hmac.digest(salt.encode(), _utf8(normalised(password)), "sha256"))


def _utf8(password: str) -> bytes:
    # The policy refuses half a surrogate pair; who presents one still gets a plain "wrong password".
    return password.encode("utf-8", "surrogatepass")
