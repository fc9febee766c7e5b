"""A forgotten password, from the request to the first sign-in with the new one (group RG)."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from datetime import timedelta

import httpx
import pytest
from world import PASSWORD, World

from idp.domain.accounts.mails import MailKind

NEW_PASSWORD = "Battery-Staple-8"
RESET = "Reset your password"


async def asked(world: World, email: str) -> str:
    """The token of the latest mail."""
    answer = await world.post("/auth/forgot-password", email=email)
    assert answer.status_code == 202, answer.text
    return (await world.mail(email, RESET)).token


async def reset(world: World, token: str, password: str = NEW_PASSWORD) -> httpx.Response:
    return await world.post("/auth/reset-password", token=token, newPassword=password)


async def signs_in(world: World, email: str, password: str) -> bool:
    return (await world.post("/auth/login", email=email, password=password)).status_code == 200


def refused_for(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 400, answer.text
    return [fault["field"] for fault in answer.json()["errors"]]


async def test_the_link_of_the_mail_sets_a_password(world: World) -> None:
    email = await world.registered()
    token = await asked(world, email)

    answer = await reset(world, token)

    assert (answer.status_code, answer.content) == (204, b"")
    assert await signs_in(world, email, NEW_PASSWORD)
    assert not await signs_in(world, email, PASSWORD)


async def test_a_token_works_once(world: World) -> None:
    """RG5."""
    email = await world.registered()
    token = await asked(world, email)
    await reset(world, token)

    again = await reset(world, token, "Another-Pass-8")

    assert refused_for(again) == ["token"]
    assert await signs_in(world, email, NEW_PASSWORD)


async def test_of_fifty_that_use_one_token_at_once_one_wins(world: World) -> None:
    """RG5: and it is that one's password which counts."""
    email = await world.registered()
    token = await asked(world, email)
    passwords = [f"{NEW_PASSWORD}-{number}" for number in range(50)]

    answers = await asyncio.gather(*(reset(world, token, password) for password in passwords))

    assert Counter(answer.status_code for answer in answers) == {204: 1, 400: 49}
    [winner] = [password for password, answer in zip(passwords, answers, strict=True) if answer.status_code == 204]
    assert await signs_in(world, email, winner)


async def test_a_token_ends_after_half_an_hour(world: World) -> None:
    """RG6."""
    email = await world.registered()
    token = await asked(world, email)
    row = await world.database.fetchrow("SELECT * FROM mail_tokens WHERE digest = $1", digest(token))
    await world.database.execute(
        "UPDATE mail_tokens SET expires_at = expires_at - interval '30 minutes' WHERE digest = $1", digest(token)
    )

    answer = await reset(world, token)

    assert row["expires_at"] - row["created_at"] == timedelta(minutes=30)
    assert refused_for(answer) == ["token"]
    assert await signs_in(world, email, PASSWORD)


async def test_a_newer_mail_makes_the_older_link_void(world: World) -> None:
    """RG7."""
    email = await world.registered()
    first = await asked(world, email)
    second = await asked(world, email)

    answers = [await reset(world, token) for token in (first, second)]

    assert first != second
    assert [answer.status_code for answer in answers] == [400, 204]


async def test_a_change_of_password_makes_the_link_void(world: World) -> None:
    """RG7."""
    tokens = await world.signed_in()
    token = await asked(world, tokens.email)
    await world.post(
        "/auth/change-password",
        headers={"Authorization": f"Bearer {tokens.access_token}"},
        currentPassword=PASSWORD,
        newPassword="Another-Pass-8",
    )

    assert refused_for(await reset(world, token)) == ["token"]


async def test_a_reset_ends_every_session_and_signs_nobody_in(world: World) -> None:
    """RG10, RG11."""
    client = await world.client()
    rest = await world.signed_in()
    grant = await world.signed_in(client, rest.email)
    token = await asked(world, rest.email)

    answer = await reset(world, token)

    assert "set-cookie" not in answer.headers
    assert (await world.profile(rest.access_token)).status_code == 401
    for tokens in (rest, grant):
        assert (await world.refresh(tokens)).json()["error"] == "invalid_grant"
        assert (await world.session(tokens))["revoked_reason"] == "password_reset"


async def test_a_reset_verifies_the_address(world: World) -> None:
    email = await world.registered()

    await reset(world, await asked(world, email))

    assert await world.database.fetchval("SELECT email_verified FROM users WHERE email_norm = $1", email)


async def test_a_bad_password_does_not_use_the_token_up(world: World) -> None:
    email = await world.registered(name="Grace Hopper")
    token = await asked(world, email)

    short = await reset(world, token, "short")
    common = await reset(world, token, "Password123")
    known = await reset(world, token, "Hopper-Grace1")

    assert [refused_for(answer) for answer in (short, common, known)] == [["newPassword"]] * 3
    assert (await reset(world, token)).status_code == 204


@pytest.mark.parametrize("token", ["x", "A" * 43, "ä" * 43, "A" * 42 + "=", " " * 43, "A" * 9_999])
async def test_a_made_up_token_is_refused_by_name(world: World, token: str) -> None:
    """RG9; Keycloak CVE-2026-1529."""
    assert refused_for(await reset(world, token)) == ["token"]


async def test_a_token_to_verify_an_address_sets_no_password(world: World) -> None:
    """RG9; Keycloak CVE-2026-18963: each token is for its own purpose."""
    email = await world.registered()
    token = (await world.mail(email, "Verify")).token

    assert refused_for(await reset(world, token)) == ["token"]
    assert await signs_in(world, email, PASSWORD)


async def test_an_invitation_sets_the_first_password_once(world: World) -> None:
    """RG25."""
    email = await world.registered()
    user_id = await world.database.fetchval(
        "UPDATE users SET password_hash = NULL WHERE email_norm = $1 RETURNING id", email
    )
    await world.services.accounts.password_reset.mails.enqueue(MailKind.INVITATION, email, user_id)
    token = (await world.mail(email, "Your account is ready")).token

    answers = [await reset(world, token) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 400]
    assert await signs_in(world, email, NEW_PASSWORD)


async def test_a_disabled_account_gets_no_mail_and_no_password(world: World) -> None:
    """PW22."""
    email = await world.registered()
    token = await asked(world, email)
    user_id = await world.database.fetchval("SELECT id FROM users WHERE email_norm = $1", email)
    await world.services.user_administration.disable(str(user_id))
    before = len(await world.mails(email))

    await world.post("/auth/forgot-password", email=email)

    assert len(await world.mails(email)) == before
    assert refused_for(await reset(world, token)) == ["token"]


async def test_the_token_is_long_random_and_stored_as_a_digest(world: World) -> None:
    """RG3, RG4, LG1: neither the queue nor the tokens' table holds what the mail says."""
    email = await world.registered()
    token = await asked(world, email)

    stored = await world.database.fetch(
        "SELECT t::text AS line FROM mail_tokens t UNION ALL SELECT m::text FROM mails m"
    )

    assert len(token) == 43
    assert digest(token) in "".join(row["line"] for row in stored)
    assert token not in "".join(row["line"] for row in stored)


async def test_links_lead_to_the_issuer_whatever_the_request_says(world: World) -> None:
    """RG12; Zitadel CVE-2025-64101."""
    email = await world.registered()
    hostile = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example", "Origin": "https://evil.example"}

    await world.post("/auth/forgot-password", headers=hostile | {"Host": "evil.example"}, email=email)

    mail = await world.mail(email, RESET)
    assert mail.link.startswith(f"{world.settings.issuer}/reset-password?token=")
    assert "evil.example" not in mail.text + mail.html


async def test_the_mail_goes_to_the_address_of_the_account_not_to_a_spelling_of_it(world: World) -> None:
    """RG22: a full-width letter is the same account, and may be somebody else's mailbox."""
    email = await world.registered()

    await world.post("/auth/forgot-password", email="ｕ" + email[1:])

    mail = await world.mail(email, RESET)
    assert mail.headers["To"] == email


async def test_no_more_than_three_reset_mails_an_hour_reach_an_address(world: World) -> None:
    """RG15: of a hundred at once."""
    email = await world.registered()

    answers = await asyncio.gather(*(world.post("/auth/forgot-password", email=email) for _ in range(100)))

    assert {answer.status_code for answer in answers} == {202}
    assert len([mail for mail in await world.mails(email) if RESET in mail.subject]) == 3


async def test_an_hour_later_there_is_another_mail(world: World) -> None:
    email = await world.registered()
    for _ in range(4):
        await world.post("/auth/forgot-password", email=email)
    await world.mails(email)
    await world.database.execute(
        "UPDATE mails SET created_at = created_at - interval '61 minutes' WHERE recipient_norm = $1", email
    )

    await world.post("/auth/forgot-password", email=email)

    assert len([mail for mail in await world.mails(email) if RESET in mail.subject]) == 4


async def test_the_user_is_told_and_the_trail_has_it(world: World) -> None:
    """RG17."""
    tokens = await world.signed_in()
    user_id = (await world.session(tokens))["user_id"]

    await reset(world, await asked(world, tokens.email))

    assert await world.mail(tokens.email, "Your password was changed")
    for name in ("password_reset_requested", "password_reset"):
        [event] = await world.events(name, user_id=user_id)
        assert event["address"] == "127.0.0.1"
    assert len(await world.events("session_revoked", user_id=user_id)) == 1


async def test_a_reset_ends_a_lock(world: World) -> None:
    email = await world.registered()
    token = await asked(world, email)
    await signs_in(world, email, "Wrong-Horse-7")
    await world.database.execute(
        """
        UPDATE sign_in_failures SET blocked_until = now() + interval '15 minutes'
        WHERE user_id = (SELECT id FROM users WHERE email_norm = $1)
        """,
        email,
    )
    locked = await world.post("/auth/login", email=email, password=PASSWORD)

    await reset(world, token)

    assert locked.status_code == 429
    assert await signs_in(world, email, NEW_PASSWORD)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
