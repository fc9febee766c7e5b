"""Changing the password, and which passwords an account may have (S7, S8)."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from own_account import NEW_PASSWORD, change_password, refused_for, user_of
from world import PASSWORD, World


async def test_a_change_of_password_ends_every_other_session(world: World) -> None:
    """PW13."""
    client = await world.client()
    mine = await world.signed_in()
    others = [await world.signed_in(email=mine.email), await world.signed_in(client, mine.email)]

    answer = await change_password(world, mine)

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await world.profile(mine.access_token)).status_code == 200
    assert (await world.refresh(mine)).status_code == 200
    for tokens in others:
        assert (await world.profile(tokens.access_token)).status_code == 401
        assert (await world.refresh(tokens)).json()["error"] == "invalid_grant"
        assert (await world.session(tokens))["revoked_reason"] == "password_changed"


async def test_the_new_password_counts_and_the_old_one_does_not(world: World) -> None:
    tokens = await world.signed_in()

    await change_password(world, tokens)

    answers = [await world.post("/auth/login", email=tokens.email, password=it) for it in (NEW_PASSWORD, PASSWORD)]
    assert [answer.status_code for answer in answers] == [200, 401]


async def test_a_wrong_current_password_changes_nothing(world: World) -> None:
    """PW12."""
    tokens = await world.signed_in()
    before = (await user_of(world, tokens.email))["password_hash"]

    answer = await change_password(world, tokens, currentPassword="Wrong-Horse-7")

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_credentials")
    assert (await user_of(world, tokens.email))["password_hash"] == before
    assert refused_for(await change_password(world, tokens, currentPassword="")) == ["currentPassword"]


async def test_of_many_changes_at_once_one_counts(world: World) -> None:
    tokens = await world.signed_in()
    passwords = [f"{NEW_PASSWORD}-{number}" for number in range(20)]

    answers = await asyncio.gather(*(change_password(world, tokens, newPassword=it) for it in passwords))

    assert Counter(answer.status_code for answer in answers) == {204: 1, 401: 19}
    [winner] = [it for it, answer in zip(passwords, answers, strict=True) if answer.status_code == 204]
    assert (await world.post("/auth/login", email=tokens.email, password=winner)).status_code == 200


async def test_a_change_of_password_is_told_to_the_user_and_the_trail(world: World) -> None:
    """RG17."""
    tokens = await world.signed_in()
    other = await world.signed_in(email=tokens.email)
    user_id = (await user_of(world, tokens.email))["id"]

    await change_password(world, tokens)

    assert await world.mail(tokens.email, "Your password was changed")
    assert len(await world.events("password_changed", user_id=user_id)) == 1
    [revoked] = await world.events("session_revoked", user_id=user_id)
    assert revoked["session_id"] == (await world.session(other))["id"]


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "8 characters"),
        ("Password1", "common"),
        ("Passw0rd1", "common"),
        ("Qwerty123", "common"),
        ("AdaLovelace-1", "name or address"),
        ("lovelace99X", "name or address"),
    ],
)
async def test_a_password_that_is_guessed_first_is_refused_everywhere(world: World, password: str, why: str) -> None:
    """PW8, PW9, PW10."""
    name = "Ada Lovelace"
    email = await world.registered(name=name)
    tokens = await world.signed_in(email=email)

    registering = await world.post("/auth/register", email=world.new_email(), password=password, name=name)
    changing = await change_password(world, tokens, newPassword=password)

    for answer, field in ((registering, "password"), (changing, "newPassword")):
        assert refused_for(answer) == [field]
        assert why in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("password", ["SecurePass123!", PASSWORD, "Lovelace-and-Babbage-1"])
async def test_a_good_password_is_taken(world: World, password: str) -> None:
    """PW6: a word that is known leaves enough of its own."""
    answer = await world.post("/auth/register", email=world.new_email(), password=password, name="Ada Lovelace")

    assert answer.status_code == 201


async def test_the_local_part_of_the_address_is_no_password(world: World) -> None:
    """PW10."""
    email = world.new_email()

    answer = await world.post("/auth/register", email=email, password=f"{email.partition('@')[0]}A1", name="Ada")

    assert refused_for(answer) == ["password"]
