"""Guessing passwords is slow, at every door, and locks no owner out (group LK)."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from caller import WRONG, Caller, blocked, refused, wait
from world import PASSWORD, Registered

LOCK = timedelta(minutes=15)


# The lock.


async def test_the_fifth_wrong_password_locks_for_15_minutes(caller: Caller) -> None:
    """LK1, S9: also the right password is not looked at."""
    email = await caller.world.registered()
    await caller.fails(email, 4)
    fifth = await caller.login(email)

    assert fifth.status_code == 401
    assert 14 * 60 < await blocked(caller, email) <= 15 * 60


async def test_failures_before_the_lock_are_followed_by_growing_delays(caller: Caller) -> None:
    email, delays = await caller.world.registered(), []
    for _ in range(4):
        assert (await caller.login(email, anywhere=True)).status_code == 401
        delays.append(wait(await caller.login(email, anywhere=True)))
        await caller.time_passes(email, timedelta(seconds=delays[-1]))

    assert delays == [1, 2, 4, 8]


async def test_an_attempt_that_comes_too_early_is_neither_looked_at_nor_counted(caller: Caller) -> None:
    email = await caller.world.registered()
    await caller.login(email)
    for _ in range(4):
        wait(await caller.login(email, anywhere=True))

    await caller.time_passes(email, timedelta(seconds=1))

    assert await caller.evaluated(email) == 1
    assert await caller.succeeds(email)


async def test_a_lock_runs_out_and_counting_begins_anew(caller: Caller) -> None:
    """S9: by time."""
    email = await caller.world.registered()
    await caller.locks(email)
    await caller.time_passes(email, LOCK)
    assert (await caller.login(email, anywhere=True)).status_code == 401

    assert await blocked(caller, email) == 1


async def test_failures_of_long_ago_no_longer_count(caller: Caller) -> None:
    email = await caller.world.registered()
    await caller.fails(email, 4)
    await caller.time_passes(email, LOCK)
    assert (await caller.login(email, anywhere=True)).status_code == 401

    assert await blocked(caller, email) == 1


async def test_a_clock_that_is_set_back_locks_nobody_for_ever(caller: Caller) -> None:
    """LK18: an hour back, a lock lasts that hour longer; no attempt comes free of it, and it ends."""
    email = await caller.world.registered()
    await caller.locks(email)
    await caller.time_passes(email, -timedelta(hours=1))

    assert 0 < await blocked(caller, email) <= 75 * 60
    await caller.time_passes(email, timedelta(minutes=75))
    assert await caller.succeeds(email)


async def test_a_clock_that_is_set_forward_gives_no_more_than_a_new_lock(caller: Caller) -> None:
    """LK18: five more, as after any lock."""
    email = await caller.world.registered()
    await caller.locks(email)
    await caller.time_passes(email, timedelta(days=30))

    await caller.locks(email)

    assert await blocked(caller, email) > 60


async def test_success_forgets_the_failures_of_its_own_account_only(caller: Caller) -> None:
    """LK9."""
    mine, other = await caller.world.registered(), await caller.world.registered()
    await caller.fails(mine, 4)
    await caller.fails(other, 4)
    assert await caller.succeeds(mine)

    await caller.fails(mine, 4)
    await caller.fails(other, 1)

    assert await caller.succeeds(mine)
    assert await blocked(caller, other) > 60


# Races.


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
async def test_of_200_wrong_passwords_at_once_at_most_five_are_looked_at(caller: Caller, known: bool) -> None:
    """LK2; Keycloak CVE-2024-4629, Wazuh CVE-2026-93346. Over two processes."""
    email = await caller.world.registered() if known else caller.world.new_email()
    answers = await asyncio.gather(*(caller.login(email, anywhere=True) for _ in range(200)))

    assert {answer.status_code for answer in answers} == {401, 429}
    assert 1 <= await caller.evaluated(email) <= 5
    assert await caller.evaluated(email) == [answer.status_code for answer in answers].count(401)


async def test_sixty_right_passwords_at_once_all_succeed(caller: Caller) -> None:
    email = await caller.world.registered()

    answers = await asyncio.gather(*(caller.login(email, PASSWORD, anywhere=True) for _ in range(60)))

    assert [answer.status_code for answer in answers] == [200] * 60


# Whose failures count together.


@pytest.mark.parametrize(
    "spelled",
    [str.upper, lambda it: f"  {it} ", lambda it: f"{it}.", lambda it: it.replace("user", "ｕｓｅｒ")],
    ids=["case", "blanks", "dot", "full width"],
)
async def test_every_spelling_of_an_address_shares_its_failures(caller: Caller, spelled: Any) -> None:
    """LK4, PW17: Authelia CVE-2025-24806."""
    email = await caller.world.registered()
    await caller.fails(email, 4)

    assert (await caller.login(spelled(email), anywhere=True)).status_code == 401

    assert await blocked(caller, email) > 60


@pytest.mark.parametrize("more", [":", "\n", "*", "?", "]", "%00", "{x}", "'--", "\\"])
async def test_no_address_reaches_the_failures_of_another(caller: Caller, more: str) -> None:
    """LK17."""
    email = await caller.world.registered()
    other = email.replace("@", f"{more}@")
    await caller.fails(other, 4)
    await caller.login(other, anywhere=True)

    assert await caller.succeeds(email)


async def doors(caller: Caller, client: Registered, email: str) -> list[httpx.Response]:
    """A wrong password at each, at the time at which it is looked at."""
    session = await caller.world.signed_in(email=email)
    bearer = {"Authorization": f"Bearer {session.access_token}"}
    answers = []
    for knock in (
        lambda: caller.login(email),
        lambda: caller.grant(client, email),
        lambda: caller.post(
            "/auth/change-password", headers=bearer, currentPassword=WRONG, newPassword="Other-Horse-8"
        ),
        lambda: caller.login(email),
    ):
        answers.append(await knock())
        await caller.time_passes(email, timedelta(seconds=8))
    return answers


async def test_all_doors_share_one_counter(caller: Caller) -> None:
    """LK3, PW20; Keycloak CVE-2026-9798."""
    email, client = await caller.world.registered(), await caller.world.client()
    answers = await doors(caller, client, email)

    fifth = await caller.grant(client, email)

    assert [answer.status_code for answer in answers] == [401, 400, 401, 401]
    assert fifth.json()["error"] == "invalid_grant"
    caller.moves()
    assert wait(await caller.login(email, PASSWORD)) > 60
    assert wait(await caller.grant(client, email, PASSWORD)) > 60


async def test_a_lock_leaves_sessions_alone(caller: Caller) -> None:
    """LK12."""
    tokens = await caller.world.signed_in()
    await caller.locks(tokens.email)

    assert (await caller.post("/auth/refresh", refreshToken=tokens.refresh_token)).status_code == 200


# What a stranger learns.


async def seen(caller: Caller, email: str) -> list[tuple[int, dict[str, Any], set[str]]]:
    """Status, body and headers of five wrong passwords, of one too early and of one while locked."""
    answers = []
    for _ in range(5):
        answers += [await caller.login(email, anywhere=True), await caller.login(email, anywhere=True)]
        await caller.time_passes(email, timedelta(seconds=8))
    for answer in answers:
        assert answer.headers.get("retry-after", "1") in ("1", "2", "4", "8", "900")
    return [(it.status_code, it.json() | {"requestId": None}, set(it.headers)) for it in answers]


async def test_unknown_known_disabled_and_locked_look_the_same(caller: Caller) -> None:
    """LK10, PW14, PW16."""
    known, disabled = await caller.world.registered(), await caller.world.registered()
    await caller.world.database.execute("UPDATE users SET status = 'disabled' WHERE email_norm = $1", disabled)

    unlike = [await seen(caller, email) for email in (known, disabled, caller.world.new_email())]

    assert unlike[0] == unlike[1] == unlike[2]
    assert [status for status, _, _ in unlike[0]] == [401, 429] * 5


# Unlocking, and what is told.


async def test_an_administrator_unlocks(caller: Caller) -> None:
    email = await caller.world.registered()
    await caller.locks(email)

    await caller.unlocks(email)

    assert await caller.succeeds(email)
    user_id = await caller.world.database.fetchval("SELECT id FROM users WHERE email_norm = $1", email)
    (event,) = await caller.world.events("account_unlocked", user_id=user_id)
    assert event["detail"] == {"identifier": caller.key(email)[:16], "locked": True}
    assert event["actor"].startswith("cli:")


async def test_a_lock_is_told_once_and_names_no_address(caller: Caller) -> None:
    email = await caller.world.registered()
    await caller.locks(email)
    user_id = await caller.world.database.fetchval("SELECT id FROM users WHERE email_norm = $1", email)

    (event,) = await caller.world.events("account_locked", user_id=user_id)

    assert event["detail"] == {"identifier": caller.key(email)[:16], "device": False, "seconds": 900}
    assert email not in json.dumps(event, default=str)


async def test_the_owner_gets_a_mail_about_lock_and_unlocking(caller: Caller) -> None:
    email = await caller.world.registered()
    await caller.locks(email)
    await caller.unlocks(email)

    kinds = await caller.world.database.fetch("SELECT kind FROM mails WHERE recipient_norm = $1", email)

    assert {"account_locked", "account_unlocked"} <= {row["kind"] for row in kinds}


async def test_a_lock_for_an_unknown_address_sends_no_mail(caller: Caller) -> None:
    email = caller.world.new_email()
    await caller.locks(email)

    assert await caller.world.database.fetchval("SELECT count(*) FROM mails WHERE recipient_norm = $1", email) == 0


async def test_a_sign_in_that_is_limited_is_no_attempt(caller: Caller) -> None:
    """The limit on the address comes first."""
    email = await caller.world.registered()
    for _ in range(5):
        await caller.login(caller.world.new_email())

    assert refused(await caller.login(email))
    assert await caller.evaluated(email) == 0
