"""Hashing of passwords whose bcrypt a test can hold, by a clock that it sets."""

import bcrypt
import pytest
from watched_bcrypt import ROUNDS, Bcrypt, Clock

from idp.gateways.passwords import BcryptPasswords


@pytest.fixture
def watched(monkeypatch):
    watched = Bcrypt()
    monkeypatch.setattr(bcrypt, "hashpw", watched)
    yield watched
    watched.gate.set()


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
