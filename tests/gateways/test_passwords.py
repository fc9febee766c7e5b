"""Which passwords an account may have, and how they are hashed: bcrypt_sha256 version 2, in few threads with a short queue."""

import asyncio
import os
import threading
from datetime import timedelta
from unicodedata import normalize

import bcrypt
import pytest
from passlib.hash import bcrypt_sha256

from idp.domain.errors import PasswordsBusy
from idp.domain.passwords import Verdict, normalised, password_faults
from idp.gateways.passwords import BcryptPasswords, default_threads

ROUNDS = 4
RIGHT, WRONG = "Correct horse 1", "Correct horse 2"
PASSWORDS = {
    "ASCII": RIGHT,
    "spaces around": "  Pass 1 ",
    "empty": "",
    "73 bytes": "a" * 72 + "1",
    "40 é": "é" * 40,
    "64 emoji": "🔑" * 64,
    "NUL inside": "ab\0cd",
    "1,000 characters": "aB1 " * 250,
}
DIGEST = "8J9IVgzPJupHI2vi8VsZa7b0D892NvC"
SALT = "OOOOOOOOOOOOOOOOOOOOOO"


class Bcrypt:
    """The real bcrypt, with a count of the rounds asked for and a gate that can hold it."""

    def __init__(self):
        self.rounds, self.threads = [], []
        self.entered, self.gate = threading.Event(), threading.Event()
        self.gate.set()
        self._hashpw = bcrypt.hashpw

    def __call__(self, password, salt):
        self.rounds.append(int(salt.split(b"$")[2]))
        self.threads.append((threading.current_thread().name, threading.get_native_id()))
        self.entered.set()
        assert self.gate.wait(30)
        return self._hashpw(password, salt)

    async def held(self, job):
        """*job* as a task that has got as far as bcrypt and stays there."""
        self.gate.clear()
        self.entered.clear()
        task = asyncio.create_task(job)
        assert await asyncio.to_thread(self.entered.wait, 30)
        return task


@pytest.fixture
def watched(monkeypatch):
    watched = Bcrypt()
    monkeypatch.setattr(bcrypt, "hashpw", watched)
    yield watched
    watched.gate.set()


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def new():
    made = []

    def new(rounds=ROUNDS, threads=1, **options):
        made.append(BcryptPasswords(rounds, threads, **options))
        return made[-1]

    yield new
    for passwords in made:
        passwords.close()


async def submitted(job):
    """*job* as a task that has asked the pool."""
    task = asyncio.create_task(job)
    for _ in range(3):
        await asyncio.sleep(0)
    return task


# --- the policy


def test_the_policy_takes_a_password_with_a_digit_and_letters_of_both_cases():
    for password in ("Passw0rd", "Éclaire é9", "Ώρα-ώρα-٣", "aA1" + "🔑" * 997):
        assert password_faults(password) == []


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("Passw0r", "The password needs at least 8 characters."),
        ("aA1" + "x" * 998, "The password may have at most 1,000 characters."),
        ("PASSW0RD", "The password needs a lower-case letter."),
        ("passw0rd", "The password needs an upper-case letter."),
        ("Password", "The password needs a digit."),
        ("Passw0rd\ud800", "The password contains something that is no character."),
    ],
)
def test_the_policy_says_what_a_password_needs(password, fault):
    assert password_faults(password) == [fault]


def test_the_policy_tells_all_faults_at_once():
    assert len(password_faults("")) == 4


def test_the_policy_counts_characters_after_nfc():
    assert password_faults(normalize("NFD", "Ééééé12")) == ["The password needs at least 8 characters."]
    assert password_faults("aA1" + normalize("NFD", "ᾧ") * 997) == []


def test_a_flood_of_combining_marks_is_refused_unnormalised():
    flood = "a" + "\u0315\u0300" * 16_000

    assert normalised(flood) is flood
    assert "The password may have at most 1,000 characters." in password_faults(flood)


# --- the scheme


@pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)
async def test_libpass_verifies_what_we_store(new, password):
    stored = await new().hash(password)

    assert stored.startswith("$bcrypt-sha256$v=2,t=2b,r=4$")
    assert bcrypt_sha256.verify(password, stored)
    assert not bcrypt_sha256.verify(password + "x", stored)


@pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)
async def test_we_verify_what_libpass_stored(new, password):
    stored = bcrypt_sha256.using(rounds=ROUNDS).hash(password)

    assert await new().verify(password, stored) == Verdict(matched=True)
    assert await new().verify(password + "x", stored) == Verdict(matched=False)


async def test_the_same_password_has_another_hash_each_time(new):
    passwords = new()

    assert await passwords.hash(RIGHT) != await passwords.hash(RIGHT)


@pytest.mark.parametrize(
    ("password", "others"),
    [
        ("a" * 72 + "1", ["a" * 72 + "2", "a" * 72]),
        ("ab\0cd", ["ab", "ab\0XX", "ab\0"]),
        (" Pass ", [" pass ", "Pass", " Pass"]),
        ("🔑" * 64, ["🔑" * 63, "🔑" * 65]),
        ("a" + "\u0315\u0300" * 16_000 + "1", ["a" + "\u0315\u0300" * 16_000 + "2"]),
    ],
)
async def test_nothing_of_a_password_is_cut_off_or_folded(new, password, others):
    passwords = new()
    stored = await passwords.hash(password)

    assert (await passwords.verify(password, stored)).matched
    for other in others:
        assert not (await passwords.verify(other, stored)).matched


async def test_composed_and_decomposed_characters_are_the_same_password(new):
    passwords = new()
    composed, decomposed = normalize("NFC", "Crème brûlée 1"), normalize("NFD", "Crème brûlée 1")
    assert composed != decomposed

    stored = await passwords.hash(decomposed)

    assert bcrypt_sha256.verify(composed, stored)
    assert (await passwords.verify(composed, stored)).matched
    assert (await passwords.verify(decomposed, stored)).matched


async def test_half_a_surrogate_pair_is_a_wrong_password_and_no_crash(new):
    passwords = new()

    for stored in (await passwords.hash(RIGHT), bcrypt.hashpw(b"x", bcrypt.gensalt(ROUNDS)).decode(), None):
        assert not (await passwords.verify("\ud800", stored)).matched


# --- other stored texts


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
async def test_an_imported_hash_verifies_and_is_outdated(new, prefix):
    stored = bcrypt.hashpw(RIGHT.encode(), bcrypt.gensalt(ROUNDS)).decode().replace("$2b$", prefix)

    assert await new().verify(RIGHT, stored) == Verdict(matched=True, outdated=True)
    assert await new().verify(WRONG, stored) == Verdict(matched=False, outdated=True)


async def test_an_imported_hash_was_made_of_the_first_72_bytes(new):
    password = "é" * 40
    stored = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(ROUNDS)).decode()

    assert (await new().verify(password, stored)).matched
    assert not (await new().verify("é" * 35, stored)).matched


async def test_an_imported_hash_is_compared_with_the_bytes_as_they_came(new):
    decomposed = normalize("NFD", "Crème 1")
    stored = bcrypt.hashpw(decomposed.encode(), bcrypt.gensalt(ROUNDS)).decode()

    assert (await new().verify(decomposed, stored)).matched


@pytest.mark.parametrize(("configured", "outdated"), [(4, False), (5, False), (6, True)])
async def test_a_hash_of_fewer_rounds_than_configured_is_outdated(new, configured, outdated):
    stored = await new(rounds=5).hash(RIGHT)

    assert await new(rounds=configured).verify(RIGHT, stored) == Verdict(matched=True, outdated=outdated)


DAMAGED = [
    "",
    "garbage",
    "é" * 60,
    "$2b$04$short",
    "$2b$12$" + SALT,
    f"$2b$31${SALT}{DIGEST}",
    f"$2b$03${SALT}{DIGEST}",
    f"$2x$04${SALT}{DIGEST}",
    f"$2b$04${'9' * 22}{DIGEST}",
    f"$2b$04${SALT}{DIGEST}\n",
    f"$bcrypt-sha256$v=2,t=2b,r=99${SALT}${DIGEST}",
    f"$bcrypt-sha256$v=2,t=2b,r=4${'9' * 22}${DIGEST}",
    f"$bcrypt-sha256$v=3,t=2b,r=4${SALT}${DIGEST}",
    f"$bcrypt-sha256$v=2,t=2b,r=4${SALT}${DIGEST[:-1]}",
    "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA",
    "\0",
]


@pytest.mark.parametrize("stored", DAMAGED)
async def test_a_damaged_hash_is_a_wrong_password_after_the_same_work(new, watched, stored):
    assert await new().verify(RIGHT, stored) == Verdict(matched=False, damaged=True)
    assert watched.rounds == [ROUNDS]


async def test_a_hash_with_one_character_changed_does_not_match(new):
    passwords = new()
    stored = await passwords.hash(RIGHT)
    changed = stored[:-5] + ("a" if stored[-5] != "a" else "b") + stored[-4:]

    assert await passwords.verify(RIGHT, changed) == Verdict(matched=False)


async def test_an_unknown_user_costs_one_bcrypt_of_the_configured_rounds(new, watched):
    assert await new(rounds=5).verify(RIGHT, None) == Verdict(matched=False)
    assert watched.rounds == [5]


async def test_a_known_user_costs_one_bcrypt_of_the_configured_rounds(new, watched):
    stored = bcrypt_sha256.using(rounds=5).hash(RIGHT)
    watched.rounds.clear()

    await new(rounds=5).verify(WRONG, stored)

    assert watched.rounds == [5]


async def test_a_wrong_password_for_an_outdated_hash_costs_as_much_as_an_unknown_user(new, watched):
    stored = bcrypt_sha256.using(rounds=4).hash(RIGHT)
    watched.rounds.clear()

    await new(rounds=7).verify(WRONG, stored)

    assert sum(2**rounds for rounds in watched.rounds) == 2**7


# --- threads, queue, deadline


async def test_the_loop_keeps_running_while_a_password_is_hashed(new, watched):
    hashing = await watched.held(new().hash(RIGHT))

    for _ in range(100):
        await asyncio.sleep(0)

    assert not hashing.done()
    watched.gate.set()
    assert bcrypt_sha256.verify(RIGHT, await hashing)


async def test_no_more_threads_run_than_were_given(new, watched):
    passwords = new(threads=2)

    await asyncio.gather(*(passwords.hash(RIGHT) for _ in range(10)))

    names = {name for name, _ in watched.threads}
    assert 1 <= len(names) <= 2
    assert all(name.startswith("bcrypt") for name in names)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux gives each thread its own niceness")
async def test_bcrypt_runs_at_low_priority_and_the_loop_does_not(new, watched):
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    hashing = await watched.held(new().hash(RIGHT))

    assert os.getpriority(os.PRIO_PROCESS, watched.threads[0][1]) == max(before, 10)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
    watched.gate.set()
    await hashing


async def test_more_than_can_be_done_in_time_is_refused_at_once_and_none_hangs(new, watched, clock):
    passwords = new(deadline=timedelta(milliseconds=5), clock=clock)
    running = await watched.held(passwords.hash(RIGHT))
    jobs = [await submitted(passwords.hash(RIGHT)) for _ in range(50)]

    refused = [job.exception() for job in jobs if job.done()]
    watched.gate.set()
    async with asyncio.timeout(30):
        results = await asyncio.gather(running, *jobs, return_exceptions=True)

    assert 0 < len(refused) < 50
    assert [result for result in results if not isinstance(result, str)] == refused
    assert all(isinstance(busy, PasswordsBusy) and busy.retry_after >= 1 and RIGHT not in str(busy) for busy in refused)
    assert await passwords.hash(RIGHT)


async def test_the_refusal_says_when_the_queue_will_be_done(new, watched, clock):
    passwords = new(clock=clock)
    slow = await watched.held(passwords.hash(RIGHT))
    clock.now += 100
    watched.gate.set()
    await slow
    running = await watched.held(passwords.hash(RIGHT))
    waiting = await submitted(passwords.hash(RIGHT))

    with pytest.raises(PasswordsBusy) as refused:
        await passwords.hash(RIGHT)

    assert refused.value.retry_after == 21
    watched.gate.set()
    await asyncio.gather(running, waiting)


async def test_one_slow_hash_does_not_refuse_whoever_comes_to_an_empty_queue(new, watched, clock):
    passwords = new(clock=clock)
    slow = await watched.held(passwords.hash(RIGHT))
    clock.now += 1_000
    watched.gate.set()
    await slow

    assert await passwords.hash(RIGHT)


async def test_who_has_waited_past_the_deadline_is_refused_without_work(new, watched, clock):
    passwords = new(clock=clock, deadline=timedelta(seconds=3))
    running = await watched.held(passwords.hash(RIGHT))
    waiting = await submitted(passwords.hash(RIGHT))

    clock.now += 4
    watched.gate.set()

    with pytest.raises(PasswordsBusy):
        await waiting
    await running
    assert len(watched.rounds) == 1


async def test_who_went_away_while_waiting_costs_nothing_and_holds_no_place(new, watched, clock):
    passwords = new(deadline=timedelta(milliseconds=5), clock=clock)
    running = await watched.held(passwords.hash(RIGHT))
    for _ in range(20):
        gone = await submitted(passwords.hash(RIGHT))
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone

    watched.gate.set()
    await running
    await passwords.hash(RIGHT)

    assert len(watched.rounds) == 2


async def test_closing_refuses_whoever_waits_and_whoever_comes(new, watched):
    passwords = new()
    running = await watched.held(passwords.hash(RIGHT))
    waiting = await submitted(passwords.hash(RIGHT))

    passwords.close()
    watched.gate.set()

    with pytest.raises(PasswordsBusy):
        await waiting
    with pytest.raises(PasswordsBusy):
        await passwords.verify(RIGHT, None)
    assert await running
    passwords.close()


@pytest.mark.parametrize(("workers", "threads"), [(1, 7), (2, 3), (3, 2), (8, 1), (100, 1)])
def test_the_processes_share_all_cores_but_one(monkeypatch, workers, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)

    assert default_threads(workers) == threads
