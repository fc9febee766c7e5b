"""Device tokens: made here, for one user, for a while."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from idp.domain.accounts.users import Role, User, UserStatus
from idp.services.sign_in.devices import LIFETIME, Devices

NOW = datetime(2026, 11, 24, tzinfo=UTC)
OLD, NEW = b"an old key", b"a new key"
USER = User(
    id=uuid4(),
    email="ada@example.com",
    name="Ada",
    roles=(Role.USER,),
    status=UserStatus.ACTIVE,
    email_verified=True,
    auth_epoch=3,
    created_at=NOW,
    updated_at=NOW,
)
OTHER = replace(USER, id=uuid4())


def at(now: datetime, *keys: bytes) -> Devices:
    return Devices(keys or (OLD,), lambda: now)


def test_a_token_is_recognised_for_its_own_user_only() -> None:
    made = at(NOW).known_from_now_on(None, USER)

    assert at(NOW).recognised(made.token, USER) == made
    assert at(NOW).recognised(made.token, OTHER) is None


def test_a_token_lasts_half_a_year() -> None:
    token = at(NOW).known_from_now_on(None, USER).token
    last = at(NOW + LIFETIME - timedelta(seconds=1)).recognised(token, USER)

    assert last is not None
    assert last.lasts == timedelta(seconds=1)
    assert at(NOW + LIFETIME).recognised(token, USER) is None


@pytest.mark.parametrize("epoch", [2, 4])
def test_a_token_ends_with_the_password(epoch: int) -> None:
    """LK19."""
    token = at(NOW).known_from_now_on(None, USER).token

    assert at(NOW).recognised(token, replace(USER, auth_epoch=epoch)) is None
    assert at(NOW).known_from_now_on(token, replace(USER, auth_epoch=epoch)).token != token


def test_a_rotated_secret_forgets_no_device() -> None:
    token = at(NOW, OLD).known_from_now_on(None, USER).token

    assert at(NOW, NEW, OLD).recognised(token, USER) is not None
    assert at(NOW, NEW).recognised(token, USER) is None


def test_a_known_device_keeps_its_token_and_any_other_gets_a_new_one() -> None:
    devices = at(NOW)
    known = devices.known_from_now_on(None, USER)

    assert devices.known_from_now_on(known.token, USER) == known
    assert devices.known_from_now_on(known.token, OTHER).id != known.id
    assert devices.known_from_now_on("garbage", USER).id != known.id


@pytest.mark.parametrize("place", range(76))
def test_no_changed_character_is_accepted(place: int) -> None:
    token = at(NOW).known_from_now_on(None, USER).token
    other = "A" if token[place] != "A" else "B"

    assert at(NOW).recognised(token[:place] + other + token[place + 1 :], USER) is None


@pytest.mark.parametrize("change", [lambda it: it + "=", lambda it: it[:-1], lambda it: "", lambda it: it + it])
def test_there_is_one_spelling_of_a_token(change: object) -> None:
    token = at(NOW).known_from_now_on(None, USER).token

    assert at(NOW).recognised(change(token), USER) is None  # type: ignore[operator]
