"""What compose.yml gives to the programs beside idp, tried on these programs: psql, Valkey, HAProxy."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import asyncpg
import httpx
import pytest
import redis.asyncio
from compose import compose
from compose_valkey import valkey_of_compose
from debian_programs import required
from process import free_port
from test_compose import make_secrets

from idp.cli.preparation import migrate
from idp.embedded import EmbeddedStores, StoreUrls
from idp.embedded.binaries import POSTGRES, installed

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose"
DATABASE = "compose"
ROLES = {
    "OWNER": "compose_owner",
    "MIGRATE": "compose_migrate",
    "RUNTIME": "compose_app",
    "REPLICATION": "compose_copy",
}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("services") / "secrets"
    make_secrets(folder)
    return folder


@pytest.fixture(scope="module")
async def database(embedded: EmbeddedStores) -> AsyncIterator[asyncpg.Connection]:
    """The superuser's connection to a new database; it and the roles are gone afterwards."""
    superuser = await asyncpg.connect(embedded.superuser_url())
    await superuser.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
    inside = await asyncpg.connect(embedded.superuser_url(DATABASE))
    yield inside
    await inside.close()
    await superuser.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
    for role in ("other_owner", *ROLES.values()):
        await superuser.execute(f"DROP ROLE IF EXISTS {role}")
    await superuser.close()


def run_roles(embedded: EmbeddedStores, secrets: Path, **names: str) -> subprocess.CompletedProcess[str]:
    parts = urlsplit(embedded.superuser_url(DATABASE))
    where = dict(parse_qsl(parts.query))
    environment = {
        **os.environ,
        "PATH": f"{installed(POSTGRES).parent}{os.pathsep}{os.environ['PATH']}",
        "PGHOST": where["host"],
        "PGPORT": where["port"],
        "PGPASSWORD": str(parts.password),
        "POSTGRES_USER": str(parts.username),
        "POSTGRES_DB": DATABASE,
        "SECRETS": str(secrets),
        **ROLES,
        **names,
    }
    script = ["sh", str(COMPOSE / "postgres" / "roles.sh")]
    return subprocess.run(script, env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def made(embedded: EmbeddedStores, database: asyncpg.Connection, secrets: Path) -> subprocess.CompletedProcess[str]:
    return run_roles(embedded, secrets)


async def test_the_roles_let_one_migrate_and_the_other_serve(
    embedded: EmbeddedStores, database: asyncpg.Connection, secrets: Path, made: subprocess.CompletedProcess[str]
) -> None:
    assert made.returncode == 0, made.stderr
    where = urlsplit(embedded.superuser_url(DATABASE)).query

    def url(role: str, password: str) -> str:
        return f"postgresql://{ROLES[role]}:{(secrets / password).read_text().strip()}@/{DATABASE}?{where}"

    runtime = url("RUNTIME", "idp_app_password")
    applied = await migrate(StoreUrls(runtime, url("MIGRATE", "idp_migrate_password"), ""))
    owners = await database.fetch("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname IN ('public', 'audit')")
    serving = await asyncpg.connect(runtime)
    try:
        assert await serving.fetchval("SELECT count(*) FROM users") == 0
        for forbidden in ("CREATE TABLE x (i int)", "CREATE TEMP TABLE x (i int)", "DELETE FROM audit.events"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await serving.execute(forbidden)
        assert await serving.fetchval("SHOW statement_timeout") == "5s"
    finally:
        await serving.close()

    assert applied
    assert [row["tableowner"] for row in owners] == [ROLES["OWNER"]]


async def test_a_password_is_in_no_log_even_when_its_statement_fails(
    embedded: EmbeddedStores, secrets: Path, made: subprocess.CompletedProcess[str], folder: Path
) -> None:
    again = run_roles(embedded, secrets, OWNER="other_owner")  # the role with the password is there already

    log = (folder / "stores" / "postgres.log").read_text()
    password = (secrets / "idp_migrate_password").read_text().strip()
    assert again.returncode != 0
    assert 'role "compose_migrate" already exists' in log
    assert password not in log + again.stdout + again.stderr


@pytest.fixture
def valkey(secrets: Path, tmp_path: Path) -> Iterator[int]:
    with valkey_of_compose(secrets, tmp_path) as port:
        yield port


async def test_valkey_wants_its_password_and_keeps_what_it_is_told(valkey: int, secrets: Path) -> None:
    password = (secrets / "valkey_password").read_text().strip()
    async with asyncio.timeout(10), redis.asyncio.Redis(port=valkey, password=password) as known:
        while not await answers(known):
            await asyncio.sleep(0.02)
        policy = await known.config_get("maxmemory-policy", "appendonly", "save")
    own = (secrets / "valkey_idp_password").read_text().strip()
    async with redis.asyncio.Redis(port=valkey, username="idp", password=own) as idp:
        assert await idp.info("server")
        for forbidden in (
            ("FLUSHALL",),
            ("CONFIG", "GET", "requirepass"),
            ("SHUTDOWN",),
            ("ACL", "LIST"),
            ("KEYS", "*"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                await idp.execute_command(*forbidden)
    async with redis.asyncio.Redis(port=valkey) as unknown:
        with pytest.raises(redis.exceptions.AuthenticationError):
            await unknown.ping()

    assert policy == {"maxmemory-policy": "noeviction", "appendonly": "yes", "save": ""}


async def answers(client: redis.asyncio.Redis) -> bool:
    try:
        return bool(await client.ping())
    except redis.exceptions.ConnectionError:
        return False


class Node:
    """Stands where a node of idp would: tells what it was asked, is ready or not, and may break off without an answer."""

    def __init__(self) -> None:
        self.ready = True
        self.breaks = False
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                first, *lines = head.strip().split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in lines)
                await reader.readexactly(int(headers.get("content-length", 0)))
                check = first.split()[1] == "/health/ready"
                if not check:
                    self.asked.append((first, headers))
                    if self.breaks:
                        break
                status = "503 No" if check and not self.ready else "200 OK"
                writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture(scope="module")
def haproxy() -> list[str]:
    return required("haproxy")


@asynccontextmanager
async def proxied(haproxy: list[str], secrets: Path, *nodes: Node) -> AsyncIterator[httpx.AsyncClient]:
    place = Path(tempfile.mkdtemp(prefix="idp-"))  # short, since a socket is made in it
    socket = place / "haproxy"
    servers = [await asyncio.start_server(node.serve, "127.0.0.1", 0) for node in nodes]
    ports = [free_port(), free_port()]
    environment = {
        "HTTP": f"127.0.0.1:{ports[0]}",
        "HTTPS": f"127.0.0.1:{ports[1]}",
        "CERTIFICATE": str(secrets / "tls.pem"),
        "ADMIN_SOCKET": str(socket),
    }
    environment |= {
        f"NODE_{place}": f"127.0.0.1:{server.sockets[0].getsockname()[1]}" for place, server in enumerate(servers, 1)
    }
    assert set(environment) == set(compose()["services"]["proxy"]["environment"])
    command = [*haproxy, "-db", "-f", str(ROOT / compose()["configs"]["haproxy"]["file"])]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        async with httpx.AsyncClient(base_url=f"https://localhost:{ports[1]}", verify=False) as http:
            await until_two_serve(http, process)
            for node in nodes:
                node.asked.clear()
            yield http
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(place)
        for server in servers:
            server.close()


async def until_two_serve(http: httpx.AsyncClient, process: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(15):
        while True:
            assert process.poll() is None, "haproxy does not start"
            try:
                if (await http.get("/")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.05)


async def test_the_proxy_tells_the_nodes_who_calls_and_keeps_the_numbers_inside(
    haproxy: list[str], secrets: Path
) -> None:
    nodes = Node(), Node()
    async with proxied(haproxy, secrets, *nodes) as http:
        lie = {"X-Forwarded-For": "198.51.100.9", "X-Forwarded-Port": "1", "Forwarded": "for=198.51.100.9"}
        answered = await http.get("/login", headers=lie)
        metrics = await http.get("/metrics")

    ((_, headers),) = nodes[0].asked + nodes[1].asked
    assert answered.status_code == 200
    assert metrics.status_code == 404
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "https"
    assert not {"forwarded", "x-forwarded-port"} & set(headers)


async def test_the_proxy_leaves_out_a_node_that_is_not_ready(haproxy: list[str], secrets: Path) -> None:
    nodes = Node(), Node()
    async with proxied(haproxy, secrets, *nodes) as http:
        nodes[0].ready = False
        async with asyncio.timeout(15):
            while True:  # until the check has noticed: then none of ten in a row comes to it
                nodes[0].asked.clear()
                statuses = {(await http.get("/")).status_code for _ in range(10)}
                if not nodes[0].asked:
                    break
                await asyncio.sleep(0.1)

    assert statuses == {200}


async def test_the_proxy_repeats_what_may_be_repeated_and_nothing_else(haproxy: list[str], secrets: Path) -> None:
    nodes = Node(), Node()
    async with proxied(haproxy, secrets, *nodes) as http:
        nodes[0].breaks = True
        read = {(await http.get("/")).status_code for _ in range(6)}
        refreshed = {await posted(http, "/oauth2/token") for _ in range(6)}
        written = [await posted(http, "/auth/register") for _ in range(6)]

    posts = [first for node in nodes for first, _ in node.asked if "/auth/register" in first]
    assert read == refreshed == {200}
    assert len(posts) == len(written)
    assert set(written) == {200, None}


async def posted(http: httpx.AsyncClient, path: str) -> int | None:
    """None where no node has answered: 502, or a connection that is closed."""
    try:
        status = (await http.post(path, data={"a": "b"})).status_code
    except httpx.RemoteProtocolError:
        return None
    return None if status == 502 else status
