"""idp behind pgbouncer in transaction mode: each statement may come over another connection than the one before."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import prepared_stores
import pytest
from clients import Client, Log, browser, refreshing
from debian_programs import required, within_reach
from poolers import Pooler
from process import ServerProcess
from sets import ADMIN, Administrator
from sites import SECRET

from idp.database.servers import credentials
from idp.embedded import EmbeddedStores, StoreUrls

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("standby")]

CONNECTIONS = 3
CROWD = 24


@dataclass
class Pooled:
    server: ServerProcess
    urls: StoreUrls

    @property
    def url(self) -> str:
        return self.server.url


@pytest.fixture(scope="module")
def pooled() -> Iterator[Pooled]:
    required("pgbouncer")
    folder = Path(tempfile.mkdtemp(prefix="idp-"))
    if os.geteuid() == 0:
        folder.chmod(0o711)
    command = within_reach("pgbouncer", folder / "programs")
    prepared_stores.prepare(folder / "stores")
    with EmbeddedStores(folder / "stores", durable=False) as stores:
        urls = stores.start()
        with Pooler(command, folder / "pooler", urls.database, CONNECTIONS) as pooler:
            settings = {
                "IDP_DATABASE_URL": pooler.url,
                "IDP_MIGRATION_DATABASE_URL": urls.migration,
                "IDP_REDIS_URL": urls.redis,
                "IDP_DATABASE_POOL": "20",
                "IDP_SECRET": SECRET,
                "IDP_ADMIN_EMAIL": ADMIN["email"],
                "IDP_ADMIN_PASSWORD": ADMIN["password"],
            }
            with ServerProcess(folder, **settings) as server:
                yield Pooled(server, urls)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def calls(pooled: Pooled) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(pooled) as client:  # type: ignore[arg-type]
        yield client


async def test_lives_and_lists_pass_through_it(pooled: Pooled, calls: httpx.AsyncClient) -> None:
    log = Log()
    client = await Client(calls, log).begin()
    await client.refresh()
    administrator = await Administrator.signed_in(calls)

    for path in ("/admin/users", "/admin/clients", "/admin/sessions", "/admin/audit", "/admin/stats"):
        assert await administrator.get(path)
    user = (await administrator.get("/admin/users", search=client.email))["users"][0]
    await administrator.put(f"/admin/users/{user['id']}", name="Grace")
    assert await administrator.names(client.email) == ["Grace"]
    await client.sign_out()
    assert await client.is_refused()
    assert (await calls.get("/health/ready")).status_code == 200
    assert 503 not in log.statuses


async def test_a_crowd_shares_a_few_connections(pooled: Pooled, calls: httpx.AsyncClient) -> None:
    log = Log()
    clients = await asyncio.gather(*(Client(calls, log, tabs=False).begin() for _ in range(CROWD)))
    async with refreshing(clients, log) as crowd:
        await crowd.progress(2)
        server = await asyncpg.connect(**credentials(pooled.urls.migration))
        held = await server.fetchval("SELECT count(*) FROM pg_stat_activity WHERE usename = 'idp_app'")
        await server.close()

    assert 1 <= held <= CONNECTIONS
    assert crowd.forks() == []
    assert set(log.statuses) <= {200, 201}
