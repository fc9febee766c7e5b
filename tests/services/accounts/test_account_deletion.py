"""The last administrator stays (S13): on a server of its own, where nobody else made one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import asyncpg
import httpx
import pytest
from process import ServerProcess
from world import PASSWORD

from idp.database.servers import credentials
from idp.embedded import EmbeddedStores

pytestmark = pytest.mark.isolated

ADMIN = "root@example.com"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("deletion")
    with ServerProcess(folder, IDP_ADMIN_EMAIL=ADMIN, IDP_ADMIN_PASSWORD=PASSWORD) as running:
        yield running


@pytest.fixture
async def http(server: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=60, verify=False) as client:
        yield client


@pytest.fixture
async def database(server: ServerProcess) -> AsyncIterator[asyncpg.Connection]:
    urls = EmbeddedStores(server.folder / "data").attach()
    assert urls is not None
    connection = await asyncpg.connect(**credentials(urls.migration))
    yield connection
    await connection.close()


async def deleted(http: httpx.AsyncClient, email: str) -> httpx.Response:
    tokens = (await http.post("/auth/login", json={"email": email, "password": PASSWORD})).json()
    bearer = {"Authorization": f"Bearer {tokens['accessToken']}"}
    return await http.request("DELETE", "/auth/profile", headers=bearer, json={"currentPassword": PASSWORD})


async def test_the_last_administrator_cannot_delete_the_account(http: httpx.AsyncClient) -> None:
    answer = await deleted(http, ADMIN)

    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")
    assert (await http.post("/auth/login", json={"email": ADMIN, "password": PASSWORD})).status_code == 200


async def test_of_administrators_that_delete_themselves_at_once_one_stays(
    http: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    others = [f"admin-{number}@example.com" for number in range(7)]
    for email in others:
        await http.post("/auth/register", json={"email": email, "password": PASSWORD, "name": "Ada"})
    await database.execute("UPDATE users SET roles = '{ADMIN,USER}'")

    answers = await asyncio.gather(*(deleted(http, email) for email in (ADMIN, *others)))

    assert Counter(answer.status_code for answer in answers) == {204: 7, 409: 1}
    assert await database.fetchval("SELECT count(*) FROM users") == 1
