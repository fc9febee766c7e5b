"""`idp users`."""

from __future__ import annotations

import secrets
from typing import Any
from uuid import UUID

from program import Forked

from idp.gateways.passwords import BcryptPasswords

PASSWORD = "Correct-Horse-7"

# Twenty times: two administrators, both disabled at the same instant.
DISABLING_BOTH = """
import asyncio, sys
from idp.cli.environment import with_services
from idp.domain.errors import Conflict

async def work(services):
    refused = 0
    for _ in range(20):
        for who in sys.argv[1:]:
            await services.user_administration.enable(who)
        both = (services.user_administration.disable(who) for who in sys.argv[1:])
        outcomes = await asyncio.gather(*both, return_exceptions=True)
        refused += [type(outcome) for outcome in outcomes].count(Conflict)
    return refused

print(with_services(work))
"""


def new_email() -> str:
    return f"user-{secrets.token_hex(6)}@example.com"


async def verified(database: Any, email: str, password: str) -> bool:
    stored = await database.fetchval("SELECT password_hash FROM users WHERE email = $1", email)
    passwords = BcryptPasswords(4, 1)
    try:
        return (await passwords.verify(password, stored)).matched
    finally:
        passwords.close()


async def test_a_made_account_has_the_random_password_that_is_shown_once(program: Forked, database: Any) -> None:
    email = new_email()

    made = program.json("users", "create", "--email", email, "--name", "Ada", "--role", "ADMIN", "--role", "USER")

    assert (made["email"], made["name"], made["roles"], made["status"]) == (email, "Ada", ["USER", "ADMIN"], "active")
    assert await verified(database, email, made["password"])
    event = await database.fetchrow("SELECT name, actor FROM audit.events WHERE user_id = $1", UUID(made["id"]))
    assert tuple(event) == ("user_created", "cli:operator")


async def test_a_given_password_is_not_repeated(program: Forked, database: Any) -> None:
    email = new_email()

    made = program("users", "create", "--email", email, "--name", "Ada", "--password-stdin", typed=f"{PASSWORD}\n")

    assert made.status == 0
    assert PASSWORD not in made.out + made.err
    assert await verified(database, email, PASSWORD)


async def test_every_fault_is_named_at_once_and_no_password_with_it(program: Forked) -> None:
    refused = program("users", "create", "--email", "ada", "--name", "A", "--password-env", "GIVEN", GIVEN="tooweak")

    assert refused.status == 1
    assert [line.removeprefix("Error: ").partition(":")[0] for line in refused.err.splitlines()] == [
        "email",
        "name",
        "password",
    ]
    assert "tooweak" not in refused.out + refused.err


async def test_bytes_that_are_no_text_are_no_password(program: Forked) -> None:
    refused = program(
        "users", "create", "--email", new_email(), "--name", "Ada", "--password-stdin", typed=b"Aa1\xff\xfe-aaaa"
    )

    assert refused.status == 1
    assert "Traceback" not in refused.err


async def test_another_spelling_of_a_known_address_is_refused(program: Forked, database: Any) -> None:
    email = new_email()
    await insert(database, email, ["USER"])

    refused = program("users", "create", "--email", email.upper(), "--name", "Impostor")

    assert refused.status == 1
    assert "already" in refused.err
    assert await database.fetchval("SELECT count(*) FROM users WHERE email_norm = $1", email) == 1


async def test_a_disabled_user_is_signed_out_and_can_be_enabled(program: Forked, database: Any) -> None:
    email = new_email()
    user_id = await insert(database, email, ["USER"])

    disabled = program.json("users", "disable", email)
    enabled = program.json("users", "enable", str(user_id))

    assert (disabled["status"], enabled["status"]) == ("disabled", "active")
    assert await database.fetchval("SELECT auth_epoch FROM users WHERE id = $1", user_id) == 1
    rows = await database.fetch("SELECT name, actor FROM audit.events WHERE user_id = $1 ORDER BY at", user_id)
    assert [tuple(row) for row in rows] == [("user_disabled", "cli:operator"), ("user_enabled", "cli:operator")]


async def test_the_list_is_searched_and_says_when_there_are_more(program: Forked, database: Any) -> None:
    mark = secrets.token_hex(6)
    for place in range(3):
        await insert(database, f"{mark}-{place}@example.com", ["USER"])

    listed = program("users", "list", "--search", mark.upper(), "--limit", "2", "--format", "json")

    assert len(listed.json) == 2
    assert all(mark in user["email"] and "password" not in str(user) for user in listed.json)
    assert "more than 2" in listed.err


async def test_a_table_shows_names_as_they_are_and_each_user_on_one_line(program: Forked, database: Any) -> None:
    """LG8."""
    email = f"{'long-' * 12}{secrets.token_hex(4)}@example.com"
    await insert(database, email, ["USER"], name="[red]Ada\x1b[2J\x9b\u202e\u2028")

    table = program("users", "list", "--search", email).out.splitlines()

    assert len(table) == 2
    assert r"[red]Ada\x1b[2J\x9b\u202e\u2028" in table[1]
    assert email in table[1]


async def test_an_unknown_user_is_status_1(program: Forked) -> None:
    assert program("users", "show", "nobody@example.com").status == 1


async def test_the_last_active_administrator_stays(program: Forked, database: Any) -> None:
    await database.execute("UPDATE users SET roles = '{USER}'")
    last, disabled = new_email(), new_email()
    await insert(database, last, ["ADMIN"])
    await insert(database, disabled, ["ADMIN"], status="disabled")

    disabling = program("users", "disable", last)
    demoting = program("users", "set-role", last, "USER")

    assert (disabling.status, demoting.status) == (1, 1)
    row = await database.fetchrow("SELECT roles, status FROM users WHERE email = $1", last)
    assert tuple(row) == (["ADMIN"], "active")


async def test_of_the_last_two_administrators_disabled_at_once_one_stays(program: Forked, database: Any) -> None:
    await database.execute("UPDATE users SET roles = '{USER}'")
    both = [new_email(), new_email()]
    for email in both:
        await insert(database, email, ["ADMIN"])

    done = program.python("-c", DISABLING_BOTH, *both)

    assert done.stdout.strip() == b"20", done.stderr


async def insert(database: Any, email: str, roles: list[str], *, name: str = "Ada", status: str = "active") -> UUID:
    user_id: UUID = await database.fetchval(
        """INSERT INTO users
        (id, email, email_norm, name, password_hash, roles, status, email_verified, auth_epoch, created_at, updated_at)
        VALUES (gen_random_uuid(), $1::text, $1::text, $2, 'a hash', $3, $4, true, 0, now(), now()) RETURNING id""",
        email,
        name,
        roles,
        status,
    )
    return user_id


async def test_a_user_is_shown_with_what_is_told_of_them(program: Forked, database: Any) -> None:
    email = new_email()
    program.json("users", "create", "--email", email, "--name", "Ada")
    claims = '{"given_name": "Ada", "address": {"locality": "London", "country": "GB"}}'
    await database.execute("UPDATE users SET claims = $2::jsonb WHERE email = $1", email, claims)

    shown = program.json("users", "show", email)

    assert (shown["given_name"], shown["address"]) == ("Ada", {"locality": "London", "country": "GB"})
    assert "country: GB, locality: London" in program("users", "show", email).out
