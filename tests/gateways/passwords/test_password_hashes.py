"""How passwords are hashed: bcrypt_sha256 version 2, and what else is stored."""

from unicodedata import normalize

import bcrypt
import pytest
from passlib.hash import bcrypt_sha256
from watched_bcrypt import RIGHT, ROUNDS, WRONG

from idp.domain.accounts.passwords import Verdict

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
