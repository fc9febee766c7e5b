"""Verifying an address, changing it, and what strangers learn of it (S10)."""

from __future__ import annotations

from own_account import NEW_PASSWORD, bearer, change_email, change_password, refused_for, user_of, verify
from world import PASSWORD, World


async def test_a_new_account_is_verified_by_the_mail(world: World) -> None:
    tokens = await world.signed_in()
    assert not (await world.profile(tokens.access_token)).json()["user"]["emailVerified"]

    answer = await verify(world, (await world.mail(tokens.email, "Verify")).token)

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await world.profile(tokens.access_token)).json()["user"]["emailVerified"]
    assert len(await world.events("email_verified", user_id=(await user_of(world, tokens.email))["id"])) == 1


async def test_a_token_verifies_once_and_for_a_day(world: World) -> None:
    """RG5, RG6."""
    used, late = [await world.registered() for _ in range(2)]
    tokens = [(await world.mail(email, "Verify")).token for email in (used, late)]
    await verify(world, tokens[0])
    await world.database.execute(
        "UPDATE mail_tokens SET expires_at = expires_at - interval '24 hours' WHERE email = $1", late
    )

    answers = [await verify(world, token) for token in tokens]

    assert [refused_for(answer) for answer in answers] == [["token"]] * 2
    assert not (await user_of(world, late))["email_verified"]


async def test_the_mail_to_verify_can_be_had_again(world: World) -> None:
    tokens = await world.signed_in()
    first = (await world.mail(tokens.email, "Verify")).token

    answer = await world.http.post("/auth/send-verification", headers=bearer(tokens))

    second = (await world.mail(tokens.email, "Verify")).token
    assert answer.status_code == 202
    assert second != first
    assert [(await verify(world, token)).status_code for token in (first, second)] == [400, 204]


async def test_a_verified_address_gets_no_such_mail(world: World) -> None:
    tokens = await world.signed_in()
    await verify(world, (await world.mail(tokens.email, "Verify")).token)

    await world.http.post("/auth/send-verification", headers=bearer(tokens))

    assert len([mail for mail in await world.mails(tokens.email) if "Verify" in mail.subject]) == 1


async def test_an_address_changes_when_the_new_one_confirms(world: World) -> None:
    """RG21, RG17."""
    tokens, new = await world.signed_in(), world.new_email()
    user_id = (await user_of(world, tokens.email))["id"]

    asked = await change_email(world, tokens, new)
    before = (await world.profile(tokens.access_token)).json()["user"]["email"]
    confirmed = await verify(world, (await world.mail(new, "Confirm")).token)

    after = (await world.profile(tokens.access_token)).json()["user"]
    assert (asked.status_code, confirmed.status_code) == (202, 204)
    assert before == tokens.email
    assert (after["email"], after["emailVerified"]) == (new, True)
    assert await world.mail(tokens.email, "Your e-mail address was changed")
    for name in ("email_change_requested", "email_changed"):
        assert len(await world.events(name, user_id=user_id)) == 1
    assert (await world.post("/auth/login", email=new, password=PASSWORD)).status_code == 200
    assert (await world.post("/auth/login", email=tokens.email, password=PASSWORD)).status_code == 401


async def test_a_change_of_address_needs_the_password(world: World) -> None:
    """RG21."""
    tokens, new = await world.signed_in(), world.new_email()

    answer = await change_email(world, tokens, new, "Wrong-Horse-7")

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_credentials")
    assert await world.mails(new) == []


async def test_who_asks_for_a_taken_address_learns_nothing(world: World) -> None:
    """RG1, RG22: the same answer, and its owner gets another mail."""
    tokens, taken, free = await world.signed_in(), await world.registered(), world.new_email()

    answers = [await change_email(world, tokens, email) for email in (taken, free)]

    assert [(answer.status_code, answer.content) for answer in answers] == [(202, b"")] * 2
    assert [mail.subject for mail in await world.mails(taken)][1:] == ["You have an account already"]
    assert "?token=" not in (await world.mail(taken, "account already")).text


async def test_an_address_that_was_taken_meanwhile_is_not_given_twice(world: World) -> None:
    """RG22: of two that confirm it, one has it."""
    new = world.new_email()
    first, second = await world.signed_in(), await world.signed_in()
    await change_email(world, first, new)
    token = (await world.mail(new, "Confirm")).token
    await change_email(world, second, new)
    other = (await world.mail(new, "Confirm")).token
    await verify(world, token)

    answer = await verify(world, other)

    assert refused_for(answer) == ["token"]
    assert "another account" in answer.json()["errors"][0]["message"]
    assert (await world.profile(second.access_token)).json()["user"]["email"] == second.email


async def test_a_change_of_password_withdraws_what_was_asked_before(world: World) -> None:
    """RG7: who had the old password asked for the address."""
    tokens, new = await world.signed_in(), world.new_email()
    await change_email(world, tokens, new)
    token = (await world.mail(new, "Confirm")).token

    await change_password(world, tokens)

    assert refused_for(await verify(world, token)) == ["token"]


async def test_the_address_that_the_account_has_is_refused(world: World) -> None:
    tokens = await world.signed_in()

    assert refused_for(await change_email(world, tokens, tokens.email.upper())) == ["newEmail"]


async def test_the_owner_of_a_known_address_is_told_of_a_registration(world: World) -> None:
    """RG1: the answer is that of a new account, the mail differs."""
    email = await world.registered()
    before = await user_of(world, email)

    answer = await world.post("/auth/register", email=email, password=NEW_PASSWORD, name="Eve")

    assert answer.status_code == 201
    assert await user_of(world, email) == before
    assert [mail.subject for mail in await world.mails(email)] == [
        "Verify your e-mail address",
        "You have an account already",
    ]


async def test_nobody_verifies_an_address_through_the_profile(world: World) -> None:
    """RG18; Zitadel CVE-2026-27946."""
    tokens = await world.signed_in()

    answer = await world.http.patch(
        "/auth/profile", headers=bearer(tokens), json={"name": "Ada", "emailVerified": True}
    )

    assert refused_for(answer) == ["emailVerified"]
    assert not (await user_of(world, tokens.email))["email_verified"]
