"""A statement is named by its verb and its tables; nothing else of its text gets into a span."""

from __future__ import annotations

import pytest

from idp.gateways.tracing.statements import summary
from idp.repositories.accounts import accounts
from idp.repositories.audit import events
from idp.repositories.clients import clients
from idp.repositories.sessions import sessions
from idp.repositories.sign_in import sign_in_failures


@pytest.mark.parametrize(
    ("query", "name"),
    [
        (sessions.STATE + sessions.BY_ID, "SELECT sessions users revoked_tokens"),
        (sessions.INSERT, "INSERT sessions users browser_sessions"),
        (sessions.REVOKE_ALL, "UPDATE users sessions"),
        (sessions.RAISE_FLOORS, "UPDATE sessions"),
        (sessions.PURGE, "DELETE sessions"),
        (events.INSERT, "INSERT audit.events"),
        (sign_in_failures.COUNT, "INSERT sign_in_failures"),
        (clients.UPDATE, "UPDATE clients"),
        (accounts.REGISTER, "INSERT users"),
        ('SELECT "id","email" FROM "users" WHERE "email_norm"=$1 LIMIT 2', "SELECT users"),
        ("SELECT pg_advisory_xact_lock($1)", "SELECT"),
        ("BEGIN;", "BEGIN"),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE;", "BEGIN"),
        ("ROLLBACK;", "ROLLBACK"),
        ("canary", "OTHER"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "",
)
def test_a_statement_is_named_by_its_verb_and_tables(query: str, name: str) -> None:
    found, attributes = summary(query)

    assert found == attributes["db.query.summary"] == name
    assert attributes["db.operation.name"] == name.split(" ", maxsplit=1)[0]


def test_no_literal_of_a_statement_is_part_of_its_name() -> None:
    query = "SELECT 'Canary' AS a, $1 FROM users WHERE email = 'canary@example.com' AND name = 'from Canary'"

    assert summary(query)[0] == "SELECT users"
