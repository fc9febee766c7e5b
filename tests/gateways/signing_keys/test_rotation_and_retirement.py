"""When a key signs, when it only is published, and how it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from key_folders import AHEAD, OVERLAP, SECOND, published, put, rsa_pem, signer, states

from idp.domain.errors import Conflict, NotFound
from idp.domain.operation.signing_keys import KeyState

# --- rotation


def test_a_new_key_is_published_before_it_signs_and_an_old_one_until_its_last_token_has_expired(opened, clock):
    keys = opened()
    old = signer(keys)
    new = keys.rotate().kid

    timeline = []
    for span in (0 * SECOND, AHEAD - SECOND, SECOND, OVERLAP - SECOND, SECOND):
        clock.pass_(span)
        timeline.append((signer(keys), published(keys), states(keys)[old]))

    assert timeline == [
        (old, [old, new], KeyState.ACTIVE),
        (old, [old, new], KeyState.ACTIVE),
        (new, [new, old], KeyState.RETIRED),
        (new, [new, old], KeyState.RETIRED),
        (new, [new], KeyState.EXPIRED),
    ]


def test_the_end_of_publication_is_announced(opened, clock):
    keys = opened()
    (old,) = keys.list()
    new = keys.rotate()

    assert old.unpublished_at is None
    assert keys.list()[0].unpublished_at == new.activates_at + OVERLAP
    assert (new.state, new.activates_at, new.unpublished_at) == (KeyState.NEXT, clock.at + AHEAD, None)


def test_a_second_rotation_waits_for_the_first(opened, clock):
    keys = opened()
    waiting = keys.rotate().kid

    with pytest.raises(Conflict, match=waiting):
        keys.rotate()

    clock.pass_(AHEAD)
    assert keys.rotate().state is KeyState.NEXT


def test_rotation_deletes_keys_that_expired_more_than_a_day_ago(opened, clock, folder):
    keys = opened()
    first = signer(keys)
    keys.rotate()
    clock.pass_(AHEAD + OVERLAP + timedelta(days=1))
    keys.rotate()
    assert (folder / f"{first}.json").exists()

    clock.pass_(AHEAD)
    keys.rotate()

    assert not (folder / f"{first}.json").exists()
    assert first not in states(keys)


def test_other_processes_follow_a_rotation_by_the_clock_alone(opened, clock):
    rotating, following = opened(), opened()
    new = rotating.rotate().kid

    assert following.reload()
    assert published(following) == published(rotating)
    clock.pass_(AHEAD)
    assert signer(following) == signer(rotating) == new


def test_a_clock_that_is_set_back_takes_no_key_away(opened, clock):
    keys = opened()
    old = signer(keys)
    keys.rotate()
    clock.pass_(timedelta(days=1))
    assert old not in published(keys)

    clock.pass_(-timedelta(days=1))

    assert signer(keys) == old


# --- retirement


def test_retiring_the_active_key_lets_the_next_one_sign_at_once(opened):
    keys = opened()
    old, new = signer(keys), keys.rotate().kid

    retired = keys.retire(old)

    assert signer(keys) == new
    assert retired.state is KeyState.RETIRED
    assert published(keys) == [new, old]


def test_retiring_the_only_key_makes_one_that_signs_at_once(opened, clock):
    keys = opened()
    old = signer(keys)

    keys.retire(old)

    assert signer(keys) != old
    assert published(keys) == [signer(keys), old]
    clock.pass_(OVERLAP)
    assert published(keys) == [signer(keys)]


def test_retiring_the_next_key_leaves_the_active_one_signing(opened, clock):
    keys = opened()
    active, waiting = signer(keys), keys.rotate().kid

    retired = keys.retire(waiting)
    assert retired.unpublished_at == clock.at + OVERLAP
    clock.pass_(OVERLAP)

    assert states(keys) == {active: KeyState.ACTIVE, waiting: KeyState.EXPIRED}


def test_a_key_whose_successor_was_retired_is_published_until_its_own_last_token_has_expired(opened, clock):
    keys = opened()
    active = signer(keys)
    keys.retire(keys.rotate().kid)
    clock.pass_(timedelta(days=1))

    successor = keys.rotate()

    (ends,) = (key.unpublished_at for key in keys.list() if key.kid == active)
    assert ends == successor.activates_at + OVERLAP


def test_a_key_is_published_no_longer_because_it_is_retired_twice(opened, clock):
    keys = opened()
    old = signer(keys)
    first = keys.retire(old)
    clock.pass_(SECOND)

    assert keys.retire(old).unpublished_at == first.unpublished_at


def test_a_retired_key_never_signs_again(opened, clock):
    keys = opened()
    first, second = signer(keys), keys.rotate().kid
    clock.pass_(AHEAD)
    keys.retire(second)

    assert signer(keys) not in (first, second)


@pytest.mark.parametrize("rotated", [False, True])
def test_a_compromised_key_leaves_the_jwks_at_once(opened, clock, rotated):
    keys = opened()
    stolen = signer(keys)
    if rotated:
        keys.rotate()
        clock.pass_(AHEAD)

    withdrawn = keys.retire(stolen, compromised=True)

    assert withdrawn.state is KeyState.WITHDRAWN
    assert published(keys) == [signer(keys)]
    assert signer(keys) != stolen
    assert published(opened()) == published(keys)


def test_a_copy_of_a_withdrawn_key_that_returns_is_not_used(opened, folder, clock):
    pem = put(folder / "mine.pem", rsa_pem(), clock.at).read_bytes()
    keys = opened()
    stolen = signer(keys)
    keys.retire(stolen, compromised=True)
    clock.pass_(SECOND)

    put(folder / "again.pem", pem, clock.at)
    assert keys.reload()

    assert states(keys)[stolen] is KeyState.WITHDRAWN


def test_an_unknown_kid_cannot_be_retired(opened):
    with pytest.raises(NotFound):
        opened().retire("../../etc/passwd")
