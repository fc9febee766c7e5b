"""Keys that have left the JWKS and still verify hints: for how long, of which only the public half is kept, and which never."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from key_folders import AHEAD, MAX_AGE, OVERLAP, SECOND, TOKEN_LIFETIME, Clock, pem, put, rsa_pem, signer, states

from idp.domain.errors import Conflict, InvalidKeyFile
from idp.domain.operation.signing_keys import ALGORITHMS, MARGIN, KeyState
from idp.gateways.key_files import KeyFiles

# Keys that are made at once.
CHEAP = "EdDSA"
LONGEST = timedelta(days=30)
TRUST = LONGEST + MARGIN
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def own_rsa() -> bytes:
    return rsa_pem()


@pytest.fixture
def opened(folder: Path, clock: Clock, faults: list[str], own_rsa: bytes) -> Callable[[], KeyFiles]:
    """With a key for access tokens, which nothing here is about, and one of `CHEAP`."""
    put(folder / "own.pem", own_rsa, clock.at)

    def opened() -> KeyFiles:
        keys = KeyFiles(
            folder,
            publish_ahead=MAX_AGE,
            token_lifetime=TOKEN_LIFETIME,
            hint_lifetime=LONGEST,
            now=clock,
            on_fault=faults.append,
        )
        keys.load()
        keys.provide([CHEAP])
        return keys

    return opened


def trusted(keys: KeyFiles) -> set[str]:
    return {jwk["kid"] for jwk in keys.trusted_for_hints()}


def published(keys: KeyFiles) -> set[str]:
    return {jwk["kid"] for jwk in keys.published()}


def rotated(keys: KeyFiles, clock: Clock, times: int, algorithm: str = CHEAP) -> None:
    """Once a day, each key in use."""
    for _ in range(times):
        keys.rotate(algorithm)
        clock.pass_(DAY)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_verifies_hints_for_as_long_as_a_browser_session_of_its_time_may_live(opened, clock, algorithm):
    keys = opened()
    keys.provide([algorithm])
    old = signer(keys, algorithm)
    token = keys.sign(b"{}", typ="JWT", algorithm=algorithm)
    keys.rotate(algorithm)
    clock.pass_(AHEAD + OVERLAP)

    assert old not in published(keys)
    (jwk,) = (jwk for jwk in keys.trusted_for_hints() if jwk["kid"] == old)
    assert jwt.decode(token, jwt.PyJWK(jwk), [algorithm]) == {}
    clock.pass_(TRUST - OVERLAP - SECOND)
    assert old in trusted(keys)
    clock.pass_(SECOND)
    assert old not in trusted(keys)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_of_an_expired_key_the_public_half_is_kept(opened, folder, clock, algorithm):
    keys = opened()
    keys.provide([algorithm])
    old = signer(keys, algorithm)
    before = {jwk["kid"]: jwk for jwk in keys.published()}[old]
    rotated(keys, clock, 3, algorithm)

    assert not (folder / f"{old}.json").exists()
    file = folder / f"{old}.pub"
    assert file.stat().st_mode & 0o777 == 0o600
    assert not {"d", "p", "q", "dp", "dq", "qi"} & json.loads(file.read_text()).keys()
    for reader in (keys, opened()):
        assert before in reader.trusted_for_hints()
        assert old not in published(reader)
        assert states(reader)[old] is KeyState.EXPIRED
        assert signer(reader, algorithm) != old


def test_the_public_half_is_deleted_when_no_hint_can_be_of_its_time(opened, folder, clock):
    keys = opened()
    old = signer(keys, CHEAP)
    rotated(keys, clock, 3)
    clock.pass_(TRUST)

    assert old not in trusted(keys)
    keys.rotate(CHEAP)
    assert not (folder / f"{old}.pub").exists()
    assert old not in states(keys)


def test_a_key_that_expired_long_ago_leaves_nothing_behind(opened, folder, clock):
    keys = opened()
    old = signer(keys, CHEAP)
    rotated(keys, clock, 1)
    clock.pass_(TRUST)

    keys.rotate(CHEAP)

    assert not list(folder.glob("*.pub"))
    assert not (folder / f"{old}.json").exists()
    assert old not in states(keys)


def test_a_public_half_signs_nothing_even_as_the_last_one_left(opened, folder, clock):
    keys = opened()
    old = signer(keys, CHEAP)
    rotated(keys, clock, 3)
    for file in folder.glob("*.json"):
        file.unlink()

    again = opened()

    assert signer(again, CHEAP) != old
    assert old in trusted(again)


@pytest.mark.parametrize("when", ["active", "retired", "expired", "public half"])
def test_a_compromised_key_verifies_no_hint(opened, folder, clock, when):
    """Retired without a word of a leak, it still does."""
    keys, beside = opened(), opened()
    stolen = signer(keys, CHEAP)
    match when:
        case "retired":
            keys.retire(stolen)
        case "expired":
            keys.retire(stolen)
            clock.pass_(DAY)
        case "public half":
            rotated(keys, clock, 3)
    assert stolen in trusted(keys)

    withdrawn = keys.retire(stolen, compromised=True)
    beside.reload()

    assert withdrawn.state is KeyState.WITHDRAWN
    for reader in (keys, beside, opened()):
        assert stolen not in trusted(reader)
        assert states(reader)[stolen] is KeyState.WITHDRAWN


@pytest.mark.parametrize("again", ["own file", "operator's file"])
def test_a_private_key_that_returns_beside_its_public_half_does_not_sign(opened, folder, clock, again):
    mine = put(folder / "mine.pem", pem(ed25519.Ed25519PrivateKey.generate()), clock.at).read_bytes()
    keys = opened()
    old = signer(keys, CHEAP)
    keys.retire(old)
    own = (folder / f"{old}.json").read_bytes()
    rotated(keys, clock, 3)

    put(
        folder / (f"{old}.json" if again == "own file" else "again.pem"), own if again == "own file" else mine, clock.at
    )
    assert keys.reload()

    assert states(keys)[old] is KeyState.EXPIRED
    assert old in trusted(keys)


def test_what_another_node_has_withdrawn_is_withdrawn_here(opened, folder, clock):
    """Nodes with copies of the folder: one has still the private key, the other only its public half."""
    keys = opened()
    stolen = signer(keys, CHEAP)
    keys.retire(stolen)
    private = (folder / f"{stolen}.json").read_bytes()
    rotated(keys, clock, 3)
    half = (folder / f"{stolen}.pub").read_bytes()
    put(folder / f"{stolen}.json", private)
    (folder / f"{stolen}.pub").unlink()
    keys.reload()
    keys.retire(stolen, compromised=True)

    put(folder / f"{stolen}.pub", half)
    keys.reload()

    assert stolen not in trusted(keys)


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"[]",
        b"{}",
        {"alg": "HS256"},
        {"alg": "ES256"},
        {"kty": "EC"},
        {"x": 7},
        {"x": None},
        {"x": "AAAA"},
        {"x": "\N{SNOWMAN}"},
        {"idp": None},
        {"idp": {}},
        {"retired_at": None},
        {"retired_at": "yesterday"},
    ],
    ids=str,
)
def test_a_public_half_that_is_damaged_is_refused_by_name(opened, folder, clock, spoilt):
    keys = opened()
    old = signer(keys, CHEAP)
    rotated(keys, clock, 3)
    file = folder / f"{old}.pub"
    members = json.loads(file.read_text())
    if isinstance(spoilt, dict):
        record = members["idp"] | {name: value for name, value in spoilt.items() if name == "retired_at"}
        members |= {"idp": record} | {name: value for name, value in spoilt.items() if name != "retired_at"}
        spoilt = json.dumps({name: value for name, value in members.items() if value is not None}).encode()
    put(file, spoilt)

    with pytest.raises(InvalidKeyFile, match=r"\.pub: .*Restore it from a backup, or remove it"):
        opened()


def test_a_second_rotation_still_waits_for_the_first(opened, clock):
    keys = opened()
    rotated(keys, clock, 3)
    keys.rotate(CHEAP)

    with pytest.raises(Conflict):
        keys.rotate(CHEAP)
