"""Users, clients and consents go out as JSON lines, and what comes back works as before."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from databases import empty_database
from foreign_users import lines
from program import Beside, Forked, Forks
from world import PASSWORD, World

from idp.cli.preparation import migrate
from idp.database.servers import credentials
from idp.embedded import EmbeddedStores, StoreUrls

USER_COLUMNS = (
    "id, email, email_norm, name, password_hash, roles, status, email_verified, claims, created_at, updated_at"
)


@pytest.fixture(scope="module")
async def elsewhere(embedded: EmbeddedStores, urls: StoreUrls) -> AsyncIterator[StoreUrls]:
    """An empty, migrated database of the same cluster."""
    async with empty_database(embedded, urls) as found:
        await migrate(found)
        yield found


@pytest.fixture(scope="module")
def other_program(folder: Path, of_these_stores: dict[str, str], elsewhere: StoreUrls, forks: Forks) -> Beside:
    moved = {"IDP_DATABASE_URL": elsewhere.database, "IDP_MIGRATION_DATABASE_URL": elsewhere.migration}
    return Beside(Forked(folder, of_these_stores | moved, forks=forks))


@pytest.fixture(scope="module")
async def other_database(elsewhere: StoreUrls) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(**credentials(elsewhere.migration))
    yield connection
    await connection.close()


async def exported(program: Beside, kind: str, *options: str) -> list[dict[str, Any]]:
    done = await program(kind, "export", *options)
    assert done.status == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


async def test_users_who_come_back_are_the_same(
    program: Beside, other_program: Beside, world: World, other_database: asyncpg.Connection, folder: Path
) -> None:
    emails = [await world.registered(name="Élodie ünï") for _ in range(3)]
    for host in ("corp.local", "localhost.test", "bücher.example", "mail.internal"):
        emails.append(f"ü..{secrets.token_hex(4)}.@{host}")
        assert (await world.post("/auth/register", email=emails[-1], password=PASSWORD, name="王")).status_code == 201
    tokens = await world.signed_in(email=emails[0])
    claims = {"givenName": "Élodie", "phoneNumber": "+33123456789", "address": {"country": "FR"}}
    assert (await world.call("PATCH", "/auth/profile", tokens, json=claims)).status_code == 200
    assert (await program("users", "disable", emails[1])).status == 0
    file = folder / "users.jsonl"

    told = await program("users", "export", "--with-password-hashes", "--output", str(file), "--format", "json")
    # Others wrote users into the same database who may be no users that anybody could have made.
    ours = lines(folder, *(user for user in map(json.loads, file.read_text().splitlines()) if user["email"] in emails))
    back = await other_program("users", "import", ours, "--format", "json")

    assert told.json == {"exported": await world.database.fetchval("SELECT count(*) FROM users"), "file": str(file)}
    assert file.stat().st_mode & 0o777 == 0o600
    assert back.json["created"] == len(emails)
    sent = await world.database.fetch(f"SELECT {USER_COLUMNS} FROM users WHERE email = ANY($1) ORDER BY id", emails)
    returned = await other_database.fetch(f"SELECT {USER_COLUMNS} FROM users ORDER BY id")
    assert [dict(row) for row in returned] == [dict(row) for row in sent]


async def test_password_hashes_go_out_only_when_they_are_asked_for(program: Beside, world: World) -> None:
    email = await world.registered()

    plain, with_hashes = await exported(program, "users"), await exported(program, "users", "--with-password-hashes")

    assert not any("password" in str(member) for user in plain for member in user)
    [user] = [user for user in with_hashes if user["email"] == email]
    assert user["password_hash"].startswith("$bcrypt-sha256$")


async def test_every_user_is_exported_once_though_others_come_and_go(program: Beside, world: World) -> None:
    mark = secrets.token_hex(4)
    await world.database.execute(
        """INSERT INTO users
        (id, email, email_norm, name, roles, status, email_verified, auth_epoch, created_at, updated_at)
        SELECT gen_random_uuid(), m, m, 'Ada', '{USER}', 'active', true, 0, now(), now()
        FROM (SELECT $1 || '-' || n || '@example.com' AS m FROM generate_series(1, 1200) n) AS made""",
        mark,
    )

    async def come_and_go() -> None:
        while True:
            await world.registered()

    others = asyncio.create_task(come_and_go())
    try:
        users = await exported(program, "users")
    finally:
        others.cancel()

    found = [user["email"] for user in users if user["email"].startswith(mark)]
    assert len(found) == len(set(found)) == 1200
    await world.database.execute("DELETE FROM users WHERE email_norm LIKE $1", f"{mark}-%")


async def test_a_file_that_cannot_be_written_is_told_and_nothing_stays(program: Beside, folder: Path) -> None:
    done = await program("users", "export", "--output", str(folder / "no" / "users.jsonl"))

    assert done.status == 1
    assert "No such file or directory" in done.err


async def test_a_client_that_comes_back_works_with_its_secret(
    program: Beside, other_program: Beside, world: World, other_database: asyncpg.Connection, folder: Path
) -> None:
    keys = {"keys": [{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"}]}
    keys["keys"][0] |= {"y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "kid": "one"}
    client = await world.client(redirect_uris=("https://app.example/cb",), contacts=("ops@app.example",))
    signing = await world.client(auth_method="private_key_jwt", secrets=(), jwks=keys, default_max_age=60)
    public = await world.client(public=True, origins=("https://app.example",))
    ids = [client.client_id, signing.client_id, public.client_id]
    file = folder / "clients.jsonl"

    found = [line for line in await exported(program, "clients") if line["client_id"] in ids]
    file.write_text("".join(json.dumps(line) + "\n" for line in [*found, found[0]]))
    dry = (await other_program("clients", "import", str(file), "--dry-run", "--format", "json")).json
    first = (await other_program("clients", "import", str(file), "--format", "json")).json
    second = (await other_program("clients", "import", str(file), "--format", "json")).json

    assert (dry["created"], dry["known"]) == (3, 1)
    assert (first["created"], first["known"], second["created"], second["known"]) == (3, 1, 0, 4)
    assert client.secret is not None
    assert client.secret not in file.read_text()
    stored = "SELECT * FROM clients WHERE client_id = ANY($1::text[]) ORDER BY client_id"
    times = ("created_at", "updated_at")
    before, after = [
        [{name: value for name, value in row.items() if name not in times} for row in await where.fetch(stored, ids)]
        for where in (world.database, other_database)
    ]
    assert after == before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"redirect_uris": ["javascript:alert(1)"]}, "redirect_uris: "),
        ({"secrets": [{"digest": "secret"}]}, "secrets.digest: must be a SHA-256 in 64 hexadecimal digits."),
        ({"grant_types": "password"}, "grant_types: must be an array."),
        ({"surprise": 1}, "surprise: there is no such member"),
        ({"client_id": "idp-rest"}, "idp-rest"),
        ({"registration_digest": "a" * 64, "scope": "openid idp:admin"}, "scope: "),
    ],
    ids=["redirect", "secret", "type", "member", "built in", "scope"],
)
async def test_a_client_that_could_not_be_registered_is_not_imported(
    program: Beside, folder: Path, change: dict[str, Any], reason: str
) -> None:
    line = {
        "client_id": f"client-{secrets.token_hex(4)}",
        "name": "Test",
        "grant_types": ["password"],
        "scope": "openid",
    }

    done = await program("clients", "import", lines(folder, line | change), "--format", "json")

    assert done.status == 1
    assert json.loads(done.out)["refused"] == 1
    assert reason in done.err


async def test_consents_come_back_for_users_and_clients_that_are_there(
    program: Beside, world: World, folder: Path
) -> None:
    client = await world.client()
    email = await world.registered()
    user_id = await world.database.fetchval("SELECT id FROM users WHERE email_norm = $1", email)
    await world.database.execute(
        """
        INSERT INTO consents (id, user_id, client_id, scope, resource_scopes, shown, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, now(), now())
        """,
        uuid4(),
        user_id,
        client.client_id,
        "email openid",
        json.dumps({"https://api.example/": "openid"}),
        "a" * 64,
    )
    [consent] = [line for line in await exported(program, "consents") if line["client_id"] == client.client_id]
    await world.database.execute("DELETE FROM consents WHERE client_id = $1", client.client_id)
    file = lines(
        folder,
        consent,
        consent | {"user_id": str(uuid4())},
        consent | {"client_id": "nobody"},
        consent | {"scope": 'a"b'},
        consent | {"user_id": None},
        consent | {"resource_scopes": {"api": "openid"}},
        consent | {"resource_scopes": {"https://api.example/": ""}},
        consent | {"scope": "", "resource_scopes": {}},
        consent | {"shown": "x"},
        consent,
    )

    dry = await program("consents", "import", file, "--dry-run", "--format", "json")
    first = await program("consents", "import", file, "--format", "json")
    second = await program("consents", "import", file, "--format", "json")

    assert consent["scope"] == "email openid"
    summaries = [json.loads(done.out) for done in (dry, first, second)]
    assert [(one["created"], one["known"], one["refused"]) for one in summaries] == [(1, 1, 8), (1, 1, 8), (0, 2, 8)]
    assert ":2: there is no such user: import those first." in first.err
    assert [line for line in await exported(program, "consents") if line["client_id"] == client.client_id] == [consent]
