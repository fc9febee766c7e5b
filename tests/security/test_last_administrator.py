"""There is always somebody who can administer (AD6): on stores of its own, where the test alone decides who is one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from process import ServerProcess

from idp.database.servers import credentials
from idp.embedded import EmbeddedStores

pytestmark = pytest.mark.isolated

FIRST = {"email": "first@example.com", "password": "Correct-Horse-7"}


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ServerProcess]:
    with ServerProcess(folder / "alone", IDP_ADMIN_EMAIL=FIRST["email"], IDP_ADMIN_PASSWORD=FIRST["password"]) as node:
        yield node


@pytest.fixture
async def http(server: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=60, verify=False) as client:
        yield client


@pytest.fixture
async def database(server: ServerProcess) -> AsyncIterator[asyncpg.Connection]:
    urls = EmbeddedStores(Path(server.environment["IDP_DATA_DIR"])).attach()
    assert urls is not None
    connection = await asyncpg.connect(**credentials(urls.migration))
    yield connection
    await connection.close()


async def signed_in(http: httpx.AsyncClient, email: str) -> tuple[str, dict[str, str]]:
    """The path of the user and the headers of its calls."""
    body = (await http.post("/auth/login", json=FIRST | {"email": email})).json()
    return f"/admin/users/{body['user']['id']}", {"Authorization": f"Bearer {body['accessToken']}"}


@pytest.fixture
async def two(http: httpx.AsyncClient, database: asyncpg.Connection) -> list[tuple[str, dict[str, str]]]:
    """The only two administrators, active both, signed in anew."""
    second = "second@example.com"
    await http.post("/auth/register", json=FIRST | {"email": second, "name": "Second"})
    await database.execute(
        "UPDATE users SET status = 'active', roles = ARRAY['USER', 'ADMIN'] WHERE email = ANY($1)",
        [FIRST["email"], second],
    )
    return [await signed_in(http, email) for email in (FIRST["email"], second)]


async def administrators(database: asyncpg.Connection) -> int:
    query = "SELECT count(*) FROM users WHERE status = 'active' AND roles @> ARRAY['ADMIN']"
    return int(await database.fetchval(query))


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("PUT", {"json": {"roles": ["USER"]}}),
    ("PUT", {"json": {"status": "disabled"}}),
    ("PUT", {"json": {"roles": ["USER"], "status": "disabled", "name": "Gone"}}),
]


@pytest.mark.parametrize(("method", "options"), [*CHANGES, ("DELETE", {})])
async def test_the_last_one_cannot_go(
    http: httpx.AsyncClient,
    database: asyncpg.Connection,
    two: list[tuple[str, dict[str, str]]],
    method: str,
    options: dict[str, Any],
) -> None:
    (own_path, headers), (other_path, _) = two
    await http.put(other_path, headers=headers, json={"roles": ["USER"]})

    answer = await http.request(method, own_path, headers=headers, **options)

    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")
    assert (await http.get(own_path, headers=headers)).json()["user"]["name"] != "Gone"
    assert await administrators(database) == 1


@pytest.mark.parametrize(("method", "options"), CHANGES)
async def test_of_two_that_remove_each_other_at_once_one_stays(
    http: httpx.AsyncClient,
    database: asyncpg.Connection,
    two: list[tuple[str, dict[str, str]]],
    method: str,
    options: dict[str, Any],
) -> None:
    (first_path, first), (second_path, second) = two

    answers = await asyncio.gather(
        *(http.request(method, second_path, headers=first, **options) for _ in range(10)),
        *(http.request(method, first_path, headers=second, **options) for _ in range(10)),
    )

    assert {answer.status_code for answer in answers} <= {200, 401, 403, 409}
    assert await administrators(database) == 1


async def test_one_who_was_invited_and_has_no_password_yet_does_not_count(
    http: httpx.AsyncClient, database: asyncpg.Connection, two: list[tuple[str, dict[str, str]]]
) -> None:
    (mine, headers), (other, _) = two
    assert (await http.put(other, json={"roles": ["USER"]}, headers=headers)).status_code == 200
    invitation = {"email": "invited@example.com", "name": "Invited", "roles": ["ADMIN"]}
    assert (await http.post("/admin/users", json=invitation, headers=headers)).status_code == 201

    answer = await http.put(mine, json={"roles": ["USER"]}, headers=headers)

    assert answer.status_code == 409
    await database.execute("DELETE FROM users WHERE email = 'invited@example.com'")


async def test_two_that_delete_themselves_and_each_other_leave_one(
    http: httpx.AsyncClient, database: asyncpg.Connection, two: list[tuple[str, dict[str, str]]]
) -> None:
    calls = [http.delete(path, headers=headers) for path, _ in two for _, headers in two for _ in range(5)]

    answers = await asyncio.gather(*calls)

    assert sorted({answer.status_code for answer in answers} - {401, 403, 404}) == [204, 409]
    assert await administrators(database) == 1
