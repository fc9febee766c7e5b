"""Keys of more than one algorithm in one folder: each algorithm has turns of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from key_folders import AHEAD, OVERLAP, SECOND, Clock, published, signer, states

from idp.domain.errors import Conflict
from idp.domain.operation.signing_keys import ALGORITHMS, KeyState
from idp.gateways.key_files import KeyFiles


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rotating_one_algorithm_leaves_the_others_alone(keys: KeyFiles, clock: Clock, algorithm: str) -> None:
    before = {each: signer(keys, each) for each in ALGORITHMS}
    new = keys.rotate(algorithm).kid

    clock.pass_(AHEAD - SECOND)
    assert {each: signer(keys, each) for each in ALGORITHMS} == before
    clock.pass_(SECOND)
    assert {each: signer(keys, each) for each in ALGORITHMS} == before | {algorithm: new}
    assert published(keys, algorithm) == [new, before[algorithm]]
    clock.pass_(OVERLAP)
    assert {each: published(keys, each) for each in ALGORITHMS} == {
        each: [kid] for each, kid in (before | {algorithm: new}).items()
    }


def test_rotating_all_makes_the_next_key_of_each(keys: KeyFiles, clock: Clock) -> None:
    made = keys.rotate_all()

    assert [key.algorithm for key in made] == list(ALGORITHMS)
    assert {key.state for key in made} == {KeyState.NEXT}
    clock.pass_(AHEAD)
    assert [signer(keys, algorithm) for algorithm in ALGORITHMS] == [key.kid for key in made]


def test_rotating_all_makes_no_key_of_an_algorithm_that_nobody_uses(opened: Callable[[], KeyFiles]) -> None:
    keys = opened()
    keys.provide(["EdDSA"])

    assert [key.algorithm for key in keys.rotate_all()] == ["RS256", "EdDSA"]


def test_rotating_all_makes_none_while_one_waits(keys: KeyFiles) -> None:
    waiting = keys.rotate("ES256").kid
    before = states(keys)

    with pytest.raises(Conflict, match=waiting):
        keys.rotate_all()

    assert states(keys) == before
    assert keys.rotate("PS256").state is KeyState.NEXT


def test_rotating_an_algorithm_without_a_key_makes_the_first(opened: Callable[[], KeyFiles]) -> None:
    keys = opened()

    assert keys.rotate("ES256").state is KeyState.ACTIVE
    assert signer(keys, "ES256")


@pytest.mark.parametrize("compromised", [False, True])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_successor_of_a_retired_key_has_its_algorithm(keys: KeyFiles, algorithm: str, compromised: bool) -> None:
    before = {each: signer(keys, each) for each in ALGORITHMS}

    keys.retire(before[algorithm], compromised=compromised)

    after = {each: signer(keys, each) for each in ALGORITHMS}
    assert after[algorithm] != before[algorithm]
    assert after | {algorithm: ""} == before | {algorithm: ""}
    assert (before[algorithm] in published(keys, algorithm)) is not compromised


def test_only_a_waiting_key_of_the_same_algorithm_signs_early(keys: KeyFiles) -> None:
    waiting = {algorithm: keys.rotate(algorithm).kid for algorithm in ("RS256", "ES256")}

    keys.retire(signer(keys, "EdDSA"))

    assert set(waiting.values()) <= {kid for kid, state in states(keys).items() if state is KeyState.NEXT}


def test_keys_of_every_algorithm_are_deleted_a_day_after_they_expired(
    keys: KeyFiles, clock: Clock, folder: Path
) -> None:
    first = {signer(keys, algorithm) for algorithm in ALGORITHMS}
    keys.rotate_all()
    clock.pass_(AHEAD + OVERLAP + timedelta(days=1, seconds=1))

    keys.rotate()

    assert not first & {path.stem for path in folder.glob("*.json")}


def test_a_version_grows_when_a_key_of_any_algorithm_comes_or_goes(keys: KeyFiles, clock: Clock) -> None:
    version = keys.version
    keys.rotate("EdDSA")
    assert keys.version == version + 1
    clock.pass_(AHEAD)
    assert keys.version == version + 2
    clock.pass_(OVERLAP)
    assert keys.version == version + 3
