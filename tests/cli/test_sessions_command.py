"""`idp sessions`."""

from __future__ import annotations

import secrets
from typing import Any
from uuid import UUID, uuid4

from program import Forked


async def signed_in(database: Any, *clients: str) -> tuple[str, list[UUID]]:
    """A user's address, and the ids of sessions at *clients*, the oldest first."""
    email = f"user-{secrets.token_hex(6)}@example.com"
    user_id = await database.fetchval(
        """INSERT INTO users (id, email, email_norm, name, roles, status, email_verified, auth_epoch, created_at, updated_at)
        VALUES (gen_random_uuid(), $1::text, $1::text, 'Ada', '{USER}', 'active', true, 0, now(), now()) RETURNING id""",
        email,
    )
    session = """INSERT INTO sessions (id, family_id, user_id, client_id, scope, auth_time, auth_epoch, created_at, expires_at,
        gen_floor) VALUES (gen_random_uuid(), gen_random_uuid(), $1, $2, 'openid', now(), 0, clock_timestamp(),
        now() + interval '7 days', 0) RETURNING id"""
    return email, [await database.fetchval(session, user_id, client_id) for client_id in clients]


async def test_the_live_sessions_of_a_user_are_listed_without_what_names_their_tokens(
    program: Forked, database: Any
) -> None:
    email, (first, second) = await signed_in(database, "app", "spa")
    family_id = await database.fetchval("SELECT family_id FROM sessions WHERE id = $1", first)

    listed = program("sessions", "list", "--user", email, "--format", "json")

    assert [(one["id"], one["client_id"]) for one in listed.json] == [(str(second), "spa"), (str(first), "app")]
    assert str(family_id) not in listed.out


async def test_one_session_is_revoked_and_again_is_no_error(program: Forked, database: Any) -> None:
    email, (first, second) = await signed_in(database, "app", "spa")

    revoked = program.json("sessions", "revoke", str(first))
    again = program.json("sessions", "revoke", str(first))

    assert (revoked, again) == ({"revoked": 1}, {"revoked": 0})
    assert [one["id"] for one in program.json("sessions", "list", "--user", email)] == [str(second)]
    events = await database.fetch("SELECT name, actor FROM audit.events WHERE session_id = $1", first)
    assert [tuple(event) for event in events] == [("session_revoked", "cli:operator")]


async def test_all_sessions_of_a_user_are_revoked_at_once(program: Forked, database: Any) -> None:
    email, sessions = await signed_in(database, "app", "spa", "app")

    revoked = program.json("sessions", "revoke", "--user", email)

    assert revoked == {"revoked": 3}
    reasons = await database.fetch("SELECT revoked_reason FROM sessions WHERE id = ANY($1::uuid[])", sessions)
    assert {row["revoked_reason"] for row in reasons} == {"admin"}


async def test_an_unknown_session_and_an_unknown_user_are_status_1(program: Forked) -> None:
    assert program("sessions", "revoke", str(uuid4())).status == 1
    assert program("sessions", "list", "--user", "nobody@example.com").status == 1
