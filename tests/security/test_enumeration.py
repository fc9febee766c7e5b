"""Nobody learns from an answer whether an account exists (PW14, PW18, PW19, RG1, RG23)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import bcrypt
import httpx
import pytest
from world import PASSWORD, World

from idp.gateways import password_checks, passwords

PER_ANSWER = ("date", "x-request-id", "content-length")


class Hashing:
    """bcrypt itself; *rounds* has the cost of each call."""

    def __init__(self) -> None:
        self.rounds: list[int] = []

    gensalt = staticmethod(bcrypt.gensalt)

    def hashpw(self, password: bytes, salt: bytes) -> bytes:
        self.rounds.append(int(salt.split(b"$")[2]))
        return bcrypt.hashpw(password, salt)

    def work(self) -> int:
        """In units of one round; what was counted is forgotten."""
        done, self.rounds = sum(2**rounds for rounds in self.rounds), []
        return done


@pytest.fixture
def hashing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hashing]:
    counting = Hashing()
    for module in (passwords, password_checks):
        monkeypatch.setattr(module, "bcrypt", counting)
    return counting


def kept(answer: httpx.Response) -> list[tuple[str, str]]:
    return [header for header in answer.headers.items() if header[0] not in PER_ANSWER]


async def logins(world: World) -> dict[str, str]:
    """Addresses that cannot sign in with `PASSWORD`, by the reason."""
    wrong, disabled, damaged, none = [
        await world.registered(PASSWORD if it else "Another-Pass-8") for it in (0, 1, 1, 1)
    ]
    user_id = await world.database.fetchval("SELECT id FROM users WHERE email_norm = $1", disabled)
    await world.services.user_administration.disable(str(user_id))
    await world.database.execute("UPDATE users SET password_hash = 'garbage' WHERE email_norm = $1", damaged)
    await world.database.execute("UPDATE users SET password_hash = NULL WHERE email_norm = $1", none)
    return {
        "unknown": world.new_email(),
        "impossible": "x" * 700,
        "wrong": wrong,
        "disabled": disabled,
        "damaged": damaged,
        "none": none,
    }


@pytest.mark.parametrize("door", ["rest", "grant"])
async def test_every_failed_sign_in_looks_the_same_and_does_the_same_work(
    world: World, hashing: Hashing, door: str
) -> None:
    """
    PW14, PW16, T2; Zitadel CVE-2024-41952, authentik GO-2025-3822, supabase/auth #2674.

    Also with a damaged hash, for an account without a password, and for one that is disabled.
    """
    client = await world.client()
    seen, work = [], []
    for email in (await logins(world)).values():
        hashing.work()
        if door == "rest":
            answer = await world.post("/auth/login", email=email, password=PASSWORD)
        else:
            answer = await world.token(client.auth, grant_type="password", username=email, password=PASSWORD)
        body: dict[str, Any] = answer.json()
        body.pop("requestId", None)
        seen.append((answer.status_code, body, kept(answer)))
        work.append(hashing.work())

    assert all(one == seen[0] for one in seen)
    assert seen[0][0] == (401 if door == "rest" else 400)
    assert work == [2**4] * len(work)


async def test_the_trail_alone_tells_why_a_sign_in_failed(world: World) -> None:
    """LG3."""
    causes = await logins(world)
    for email in causes.values():
        await world.post("/auth/login", email=email, password=PASSWORD)

    async def cause(email: str) -> tuple[str, str]:
        user_id = await world.database.fetchval("SELECT id FROM users WHERE email_norm = $1", email)
        events = await world.events("sign_in_failed", user_id=user_id)
        return events[-1]["detail"]["cause"], events[-1]["address"]

    assert [await cause(causes[name]) for name in ("wrong", "disabled", "damaged")] == [
        ("wrong_password", "127.0.0.1"),
        ("disabled", "127.0.0.1"),
        ("damaged_hash", "127.0.0.1"),
    ]


@pytest.mark.parametrize(
    "damage",
    [
        "garbage",
        "",
        "$2b$",
        "$bcrypt-sha256$v=2,t=2b,r=4$short$x",
        "$2b$31$" + "a" * 53,
        "\u0301" * 99,
        "$2b$04$" + "é" * 53,
    ],
)
async def test_a_damaged_hash_is_a_wrong_password_and_an_alarm(world: World, damage: str) -> None:
    """PW19, T2."""
    email = await world.registered()
    user_id = await world.database.fetchval(
        "UPDATE users SET password_hash = $2 WHERE email_norm = $1 RETURNING id", email, damage
    )

    answer = await world.post("/auth/login", email=email, password=PASSWORD)

    assert answer.status_code == 401
    assert len(await world.events("damaged_password_hash", user_id=user_id)) == 1


async def test_registering_a_known_address_looks_like_registering_a_new_one(world: World, hashing: Hashing) -> None:
    """RG1: status, headers, members and work; and the account stays what it was."""
    email = await world.registered()
    hashing.work()
    body = {"password": "Another-Pass-8", "name": "Eve"}

    new = await world.post("/auth/register", email=world.new_email(), **body)
    work = hashing.work()
    known = await world.post("/auth/register", email=email.upper(), **body)

    assert (known.status_code, kept(known)) == (new.status_code, kept(new))
    assert known.json().keys() == new.json().keys() == {"user"}
    as_new, as_known = new.json()["user"], known.json()["user"]
    assert list(as_new) == list(as_known)
    assert {name: type(value) for name, value in as_new.items()} == {
        name: type(value) for name, value in as_known.items()
    }
    assert UUID(as_new["id"]).version == UUID(as_known["id"]).version == 4
    assert as_known["createdAt"] == as_known["updatedAt"]
    assert as_known["name"] == "Eve"
    assert hashing.work() == work
    assert (await world.post("/auth/login", email=email, password=PASSWORD)).status_code == 200


@pytest.mark.parametrize("status", ["active", "disabled"])
async def test_forgetting_and_registering_hash_as_much_for_any_address(
    world: World, hashing: Hashing, status: str
) -> None:
    """RG1, RG2, PW16: nothing for who has forgotten the password, one hash for who registers."""
    known, work = await world.registered(), []
    await world.database.execute("UPDATE users SET status = $2 WHERE email_norm = $1", known, status)
    for email in (known, world.new_email()):
        hashing.work()
        await world.post("/auth/forgot-password", email=email)
        forgotten = hashing.work()
        await world.post("/auth/register", email=email, password="Another-Pass-8", name="Eve")
        work.append((forgotten, hashing.work()))

    assert work == [(0, 2**4)] * 2


async def test_the_owner_of_a_known_address_is_on_record(world: World) -> None:
    email = await world.registered()

    await world.post("/auth/register", email=email, password=PASSWORD, name="Eve")

    user_id = await world.database.fetchval("SELECT id FROM users WHERE email_norm = $1", email)
    assert len(await world.events("registration_of_known_address", user_id=user_id)) == 1


async def test_a_hundred_registrations_of_one_address_make_one_account(world: World) -> None:
    """RG23."""
    email = world.new_email()

    async def register(number: int) -> httpx.Response:
        body = {"email": email, "password": f"{PASSWORD}{number}", "name": "Ada"}
        # One after the other they write the trail: on a machine with much to do the last are told to come back.
        while (answer := await world.post("/auth/register", **body)).status_code == 503:
            await asyncio.sleep(0.1)
        return answer

    async with asyncio.timeout(60):
        answers = await asyncio.gather(*map(register, range(100)))

    assert Counter(it.status_code for it in answers) == {201: 100}
    assert len({it.json()["user"]["id"] for it in answers}) == 100
    [made] = await world.database.fetch("SELECT id FROM users WHERE email_norm = $1", email)
    assert str(made["id"]) in {it.json()["user"]["id"] for it in answers}


async def test_a_hash_of_fewer_rounds_is_made_anew_at_sign_in(world: World, strict: World) -> None:
    """PW18: the other node demands one round more."""

    async def stored() -> str:
        return str(await world.database.fetchval("SELECT password_hash FROM users WHERE email_norm = $1", email))

    email = await world.registered()
    before = await stored()
    assert (await strict.post("/auth/login", email=email, password=PASSWORD + "x")).status_code == 401
    assert await stored() == before

    assert (await strict.post("/auth/login", email=email, password=PASSWORD)).status_code == 200

    assert ",r=4$" in before
    assert ",r=5$" in await stored()
    for node in (world, strict):
        assert (await node.post("/auth/login", email=email, password=PASSWORD)).status_code == 200


async def test_there_is_no_default_account(world: World) -> None:
    """PW21."""
    for name, password in (("admin", "admin"), ("admin@localhost.test", "admin"), ("root@localhost.test", "Password1")):
        assert (await world.post("/auth/login", email=name, password=password)).status_code == 401


async def test_credentials_are_not_taken_from_the_address(world: World) -> None:
    """PW25, PW26; Flask CVE-2023-30861."""
    email = await world.registered()

    answer = await world.http.get("/auth/login", params={"email": email, "password": PASSWORD})

    assert answer.status_code == 405
    signed_in = await world.post("/auth/login", email=email, password=PASSWORD)
    assert signed_in.headers["cache-control"] == "no-store"
