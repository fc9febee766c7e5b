"""The queue of mails and the tokens in them, as the database keeps them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from world import World

from idp.domain.accounts.mails import MailKind, Mails
from idp.repositories.accounts.mail_tokens import PostgresMailTokens
from idp.repositories.accounts.mails import PostgresMails

REUSED = "One of your sessions was ended"


@pytest.fixture
def mails(world: World) -> PostgresMails:
    found = world.services.accounts.password_reset.mails
    assert isinstance(found, PostgresMails)
    return found


async def of(world: World, email: str) -> int:
    return int(await world.database.fetchval("SELECT count(*) FROM mails WHERE recipient_norm = $1", email))


async def test_a_reused_refresh_token_is_told_to_the_user_once(world: World) -> None:
    """Of twenty that come with it at once."""
    first = await world.signed_in()
    second = await world.refreshed(first)
    third = await world.refreshed(second)
    await world.time_passes(third, timedelta(minutes=1))

    await asyncio.gather(*(world.refresh(first) for _ in range(20)))

    subjects = [mail.subject for mail in await world.mails(first.email)]
    assert subjects.count(REUSED) == 1


async def test_a_mail_of_a_change_that_fails_is_not_queued(world: World, mails: PostgresMails) -> None:
    email = world.new_email()

    async def fail() -> None:
        async with mails._postgres.transaction() as connection:
            await mails.write(connection, MailKind.ACCOUNT_DELETED, email)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()

    assert await of(world, email) == 0


@pytest.mark.parametrize(("kind", "most"), [(MailKind.ADDRESS_KNOWN, 3), (MailKind.PASSWORD_CHANGED, 5)])
async def test_only_what_a_stranger_can_have_sent_is_capped(
    world: World, mails: Mails, kind: MailKind, most: int
) -> None:
    """RG15: under any spelling of the address."""
    email = world.new_email()

    await asyncio.gather(
        *(mails.enqueue(kind, spelling) for spelling in [email, email.upper(), email, f" {email}", email])
    )

    assert await of(world, email) == most


async def test_mails_that_are_over_are_deleted_and_waiting_ones_stay(world: World, mails: PostgresMails) -> None:
    over, waiting = world.new_email(), world.new_email()
    await world.post("/auth/forgot-password", email=over)
    assert await world.mails(over) == []
    await world.database.execute(
        """
        INSERT INTO mails (id, kind, recipient, recipient_norm, params, created_at, next_at, attempts)
        VALUES (gen_random_uuid(), 'account_deleted', $1::text, $1::text, '{}', now(), now() + interval '1 day', 1)
        """,
        waiting,
    )
    await world.database.execute(
        "UPDATE mails SET created_at = created_at - interval '2 days' WHERE recipient_norm = ANY($1)", [over, waiting]
    )

    await mails.purge(datetime.now(UTC) - timedelta(days=1), 5000)

    counts = [await of(world, email) for email in (over, waiting)]
    await world.database.execute("DELETE FROM mails WHERE recipient_norm = $1", waiting)
    assert counts == [0, 1]


async def test_tokens_that_have_expired_are_deleted(world: World) -> None:
    late, live = [await world.registered() for _ in range(2)]
    for email in (late, live):
        await world.mails(email)
    await world.database.execute(
        "UPDATE mail_tokens SET expires_at = expires_at - interval '25 hours' WHERE email = $1", late
    )
    tokens = world.services.accounts.password_reset.mail_tokens
    assert isinstance(tokens, PostgresMailTokens)

    await tokens.purge(5000)

    found = await world.database.fetch("SELECT email FROM mail_tokens WHERE email = ANY($1)", [late, live])
    assert [row["email"] for row in found] == [live]


async def test_a_kind_of_a_newer_version_is_left_to_it(world: World, mails: PostgresMails) -> None:
    """While nodes are replaced one after another."""
    email = world.new_email()
    await world.database.execute(
        """
        INSERT INTO mails (id, kind, recipient, recipient_norm, params, created_at, next_at, attempts)
        VALUES (gen_random_uuid(), 'not_yet_known', $1::text, $1::text, '{}', now(), now() - interval '1 minute', 0)
        """,
        email,
    )

    claimed = await mails.claim(1000, timedelta(seconds=1))

    row = await world.database.fetchrow("DELETE FROM mails WHERE recipient_norm = $1 RETURNING attempts", email)
    assert email not in [mail.recipient for mail in claimed]
    assert row["attempts"] == 0


async def test_a_change_of_address_asked_for_before_a_change_of_password_gets_no_mail(
    world: World, mails: PostgresMails
) -> None:
    """RG7: the intent carries the epoch in which it was asked for."""
    tokens, new = await world.signed_in(), world.new_email()
    session = await world.session(tokens)

    await mails.enqueue(MailKind.CONFIRM_ADDRESS, new, session["user_id"], epoch=str(session["auth_epoch"] - 1))

    assert await world.mails(new) == []


async def blocked(world: World, task: asyncio.Task[object]) -> None:
    """Returns once *task* is over or waits for a lock in the database."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    async with asyncio.timeout(30):
        while not task.done() and not await world.database.fetchval(waiting):
            await asyncio.sleep(0.01)


async def test_of_two_that_queue_the_last_one_at_once_one_does(world: World, mails: PostgresMails) -> None:
    """RG15: whoever comes second counts what the first has not committed yet."""
    email = world.new_email()
    for _ in range(2):
        await mails.enqueue(MailKind.RESET_PASSWORD, email)

    async with mails._postgres.transaction() as connection:
        await mails.write(connection, MailKind.RESET_PASSWORD, email)
        second = asyncio.create_task(mails.enqueue(MailKind.RESET_PASSWORD, email))
        await blocked(world, second)
    await second

    assert await of(world, email) == 3


async def test_redeeming_holds_the_user_before_the_token(world: World) -> None:
    """Minting holds them in this order too: in two orders they would end in a deadlock, which is a 503."""
    email = await world.registered()
    await world.post("/auth/forgot-password", email=email)
    token = (await world.mail(email, "Reset")).token

    async with world.database.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM users WHERE email_norm = $1 FOR UPDATE", email)
        redeeming = asyncio.create_task(world.post("/auth/reset-password", token=token, newPassword="Battery-Staple-8"))
        await blocked(world, redeeming)
        await connection.execute(
            "SELECT FROM mail_tokens WHERE email = $1 AND purpose = 'reset' FOR UPDATE NOWAIT", email
        )

    assert (await redeeming).status_code == 204
