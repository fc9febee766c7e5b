"""
Known or unknown, an address costs the same work (RG1, RG2, PW14): the same statements and transactions in the same order, as
many rows read by each, and as much bcrypt. What is compared is work, never time.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import asyncpg
import pytest
from asyncpg.transaction import Transaction
from hosted import Browser, form_of
from world import PASSWORD, World

from idp.domain.audit.events import origin
from idp.domain.sign_in.lockout import Counter
from idp.gateways import secret_keys
from idp.gateways.passwords import BcryptPasswords
from idp.repositories.sign_in.sign_in_failures import name_of
from idp.services.accounts.deliveries import ANSWERED_IN, Deliveries

WRONG = "Wrong-Horse-7"


@dataclass
class Statements:
    """What requests sent to Postgres and to bcrypt, by the User-Agent that they came with, and how many rows came back."""

    world: World
    sent: dict[str | None, list[Step]] = field(default_factory=dict)

    async def of(self, path: str, headers: dict[str, str] | None = None, **body: Any) -> tuple[int, list[Step]]:
        """The status of the answer, and the steps that it took."""
        agent = secrets.token_hex(8)
        answer = await self.world.post(path, headers={"User-Agent": agent} | (headers or {}), **body)
        return answer.status_code, self.sent.get(agent, [])

    async def of_form(self, path: str, **fields: str) -> tuple[int, list[Step]]:
        """The same of a page's form, filled in by a browser that has never been here."""
        agent = secrets.token_hex(8)
        async with Browser(self.world) as browser:
            hidden = form_of(await browser.get(path)).fields
            answer = await browser.http.post(path, data=hidden | fields, headers={"User-Agent": agent})
        return answer.status_code, self.sent.get(agent, [])

    def note(self, *step: Any) -> None:
        self.sent.setdefault(origin.get().user_agent, []).append(step)


@pytest.fixture
def statements(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Statements]:
    found = Statements(world)
    execute = asyncpg.Connection._do_execute

    async def counted(self: Any, query: str, *arguments: Any, **options: Any) -> Any:
        result = await execute(self, query, *arguments, **options)
        # A new connection asks once for the types that it meets, whoever comes first.
        if not re.search("typeinfo_tree|'jit'", query):
            found.note(query, rows_of(result[0]))
        return result

    monkeypatch.setattr(asyncpg.Connection, "_do_execute", counted)
    for name in ("start", "_Transaction__commit", "_Transaction__rollback"):
        monkeypatch.setattr(Transaction, name, told(getattr(Transaction, name), name, found.note))
    for name in ("hash", "verify"):
        monkeypatch.setattr(BcryptPasswords, name, told(getattr(BcryptPasswords, name), name, found.note))
    return found


def rows_of(outcome: Any) -> int:
    """With the status of the statement beside them or alone."""
    rows = outcome[0] if isinstance(outcome, tuple) else outcome
    return len(rows) if isinstance(rows, list) else 0


def told(method: Any, name: str, note: Callable[..., None]) -> Any:
    async def call(*arguments: Any, **options: Any) -> Any:
        note(name)
        return await method(*arguments, **options)

    return call


# A statement with the number of its rows, an end of a transaction, or a hash.
Step = tuple[Any, ...]


async def account(world: World, state: str) -> str:
    """The address of an account in that *state*."""
    email = await world.registered()
    if state == "disabled":
        await world.database.execute("UPDATE users SET status = 'disabled' WHERE email_norm = $1", email)
    elif state == "locked":
        await locked(world, email)
    elif state == "without a password":
        await world.database.execute("UPDATE users SET password_hash = NULL WHERE email_norm = $1", email)
    return email


async def locked(world: World, email: str) -> None:
    """As if the last of its failures had just been."""
    await failed_before(world, email, "blocked_until = now() + interval '15 minutes'")


async def failed_before(world: World, email: str, change: str) -> None:
    await world.post("/auth/login", email=email, password=WRONG)
    key = name_of(Counter(email), secret_keys.derived(world.settings.secrets, secret_keys.IDENTIFIERS)[0])
    done = await world.database.execute(f"UPDATE sign_in_failures SET {change} WHERE key = $1", key)
    assert done == "UPDATE 1"


@pytest.mark.parametrize("state", ["active", "disabled", "locked", "without a password"])
async def test_registering_takes_the_same_statements_for_a_known_address(
    world: World, statements: Statements, state: str
) -> None:
    """RG1."""
    body = {"password": "Another-Pass-8", "name": "Eve"}

    known = await statements.of("/auth/register", email=await account(world, state), **body)
    new = await statements.of("/auth/register", email=world.new_email(), **body)

    assert known == new
    assert new[0] == 201


@pytest.mark.parametrize("state", ["active", "disabled", "locked", "without a password"])
async def test_asking_for_a_reset_takes_the_same_statements_for_an_unknown_address(
    world: World, statements: Statements, state: str
) -> None:
    """RG2: the user is not even looked up before the answer."""
    known = await statements.of("/auth/forgot-password", email=await account(world, state))
    unknown = await statements.of("/auth/forgot-password", email=world.new_email())

    assert known == unknown
    assert unknown[0] == 202
    assert not any("users" in step[0] for step in unknown[1])


async def test_a_change_of_address_takes_the_same_statements_for_a_taken_one(
    world: World, statements: Statements
) -> None:
    tokens = await world.signed_in()
    headers = {"Authorization": f"Bearer {tokens.access_token}"}
    body = {"headers": headers, "currentPassword": PASSWORD}

    taken = await statements.of("/auth/change-email", newEmail=await world.registered(), **body)
    free = await statements.of("/auth/change-email", newEmail=world.new_email(), **body)

    assert taken == free
    assert free[0] == 202


@pytest.mark.parametrize("state", ["active", "disabled", "without a password"])
async def test_a_failed_sign_in_takes_the_same_statements_for_an_unknown_address(
    world: World, statements: Statements, state: str
) -> None:
    """PW14, PW16."""
    known = await statements.of("/auth/login", email=await account(world, state), password=WRONG)
    unknown = await statements.of("/auth/login", email=world.new_email(), password=WRONG)

    assert known == unknown
    assert unknown[0] == 401


@pytest.mark.parametrize("state", ["active", "disabled", "without a password"])
async def test_a_failed_sign_in_on_the_page_takes_the_same_steps_for_an_unknown_address(
    world: World, statements: Statements, state: str
) -> None:
    """PW14, PW16."""
    known = await statements.of_form("/login", email=await account(world, state), password=WRONG)
    unknown = await statements.of_form("/login", email=world.new_email(), password=WRONG)

    assert known == unknown
    assert unknown[0] == 401
    assert ("verify",) in unknown[1]


async def test_a_failed_password_grant_takes_the_same_steps_for_an_unknown_address(
    world: World, statements: Statements
) -> None:
    """PW14, PW20."""
    client = await world.client()
    await world.token(client.auth, grant_type="client_credentials")  # from now on it is known without the database
    sent = []
    for email in (await world.registered(), world.new_email()):
        agent = secrets.token_hex(8)
        fields = {"grant_type": "password", "username": email, "password": WRONG}
        await world.http.post("/oauth2/token", data=fields, auth=client.auth, headers={"User-Agent": agent})
        sent.append(statements.sent[agent])

    assert sent[0] == sent[1]


@pytest.mark.parametrize("state", ["active", "disabled", "locked", "without a password"])
async def test_registering_on_the_page_takes_the_same_steps_for_a_known_address(
    world: World, statements: Statements, state: str
) -> None:
    """RG1."""
    known = await account(world, state)
    fields = {"password": "Another-Pass-8", "name": "Eve"}
    answers = [await statements.of_form("/register", email=email, **fields) for email in (known, world.new_email())]

    assert answers[0] == answers[1]
    assert answers[1][0] == 200
    assert ("hash",) in answers[1][1]


@pytest.mark.parametrize("state", ["active", "disabled", "locked", "without a password"])
async def test_asking_for_a_reset_on_the_page_takes_the_same_steps_for_an_unknown_address(
    world: World, statements: Statements, state: str
) -> None:
    """RG2."""
    known = await account(world, state)
    answers = [await statements.of_form("/forgot-password", email=email) for email in (known, world.new_email())]

    assert answers[0] == answers[1]
    assert answers[1][0] == 200


async def test_a_mail_is_made_when_the_answer_is_out() -> None:
    """RG2: a mail takes milliseconds of the process that answers, and other ones, or none, for an unknown address."""
    order: list[str] = []

    class Queue:
        async def claim(self, *_: Any) -> list[Any]:
            order.append("claimed")
            return []

        async def arrival(self, _: timedelta) -> None:
            order.append("arrived")

    async def sleep(seconds: float) -> None:
        order.append(f"waited {seconds}")
        if order.count("claimed") == 2:
            raise asyncio.CancelledError

    nothing: Any = None
    deliveries = Deliveries(
        mails=cast("Any", Queue()),
        tokens=nothing,
        users=nothing,
        letters=nothing,
        mailer=nothing,
        issuer="",
        now=nothing,
        sleep=sleep,
    )
    with pytest.raises(asyncio.CancelledError):
        await deliveries.run()

    assert order == ["claimed", "arrived", f"waited {ANSWERED_IN.total_seconds()}"] * 2
    assert timedelta(0) < ANSWERED_IN


@pytest.mark.parametrize("password", [PASSWORD, WRONG], ids=["right", "wrong"])
async def test_a_locked_sign_in_takes_the_same_statements_for_an_unknown_address(
    world: World, statements: Statements, password: str
) -> None:
    """PW16, LK10: whatever the password, it is not looked at."""
    known, unknown = await account(world, "locked"), world.new_email()
    await locked(world, unknown)

    answers = [await statements.of("/auth/login", email=email, password=password) for email in (known, unknown)]

    assert answers[0] == answers[1]
    assert answers[0][0] == 429


async def test_the_failure_that_locks_takes_the_same_statements_for_an_unknown_address(
    world: World, statements: Statements
) -> None:
    """PW16, LK10: though only an owner is written to."""
    known, unknown = await world.registered(), world.new_email()
    for email in (known, unknown):
        last_but_one = world.settings.lockout_attempts - 1
        await failed_before(world, email, f"failures = {last_but_one}, blocked_until = NULL")

    answers = [await statements.of("/auth/login", email=email, password=WRONG) for email in (known, unknown)]

    assert answers[0] == answers[1]
    assert answers[0][0] == 401
    assert await world.mail(known, "locked")


async def test_a_token_that_cannot_be_one_asks_no_store_and_hashes_nothing(
    world: World, statements: Statements
) -> None:
    """RG9: rubbish costs next to nothing."""
    status, sent = await statements.of("/auth/reset-password", token="x" * 99, newPassword=PASSWORD)

    assert (status, sent) == (400, [])
