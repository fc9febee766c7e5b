"""Secrets and configuration (SC): production refuses what is unsafe, and says so without showing a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from process import ServerProcess
from program import Forked, Forks
from world import World

from idp.embedded import StoreUrls
from idp.settings import Settings

SECRET = "the-very-secret-of-this-installation"
PRODUCTION = {
    "IDP_ENV": "production",
    "IDP_ISSUER": "https://id.example",
    "IDP_SECRET": SECRET,
    "IDP_DATABASE_URL": "postgresql://idp:word-of-the-database@127.0.0.1:1/idp",
    "IDP_REDIS_URL": "redis://:word-of-the-cache@127.0.0.1:1/0",
    "IDP_BCRYPT_ROUNDS": "12",
}
UNSAFE = {
    "http issuer": ("IDP_ISSUER", "http://id.example"),
    "no secret": ("IDP_SECRET", ""),
    "short secret": ("IDP_SECRET", "too-short-to-be-one"),
    "one secret twice": ("IDP_SECRET", f"{SECRET},{SECRET}"),
    "any origin": ("IDP_CORS_ORIGINS", "*"),
    "embedded database": ("IDP_DATABASE_URL", ""),
    "embedded cache": ("IDP_REDIS_URL", ""),
    "cheap passwords": ("IDP_BCRYPT_ROUNDS", "4"),
    "unknown name": ("IDP_ISUER", "https://id.example"),
}


@pytest.mark.parametrize(("name", "value"), UNSAFE.values(), ids=UNSAFE)
def test_production_does_not_start_with(tmp_path: Path, forks: Forks, name: str, value: str) -> None:
    """SC1."""
    ended = Forked(tmp_path, PRODUCTION | {name: value}, forks=forks)("serve")

    said = ended.out + ended.err
    assert ended.status == 2
    assert name in said
    assert not [word for word in (SECRET, "word-of-the", "too-short") if word in said]
    assert "Traceback" not in said


@pytest.fixture(scope="module")
def with_files(
    tmp_path_factory: pytest.TempPathFactory, settings: Settings, urls: StoreUrls
) -> Iterator[ServerProcess]:
    """A node whose secrets come from files."""
    folder = tmp_path_factory.mktemp("files")
    given = {"secret": SECRET, "database": urls.database, "redis": urls.redis}
    for name, text in given.items():
        (folder / name).write_text(text)
    with ServerProcess(
        folder,
        IDP_ISSUER=settings.issuer,
        IDP_SECRET_FILE=str(folder / "secret"),
        IDP_DATABASE_URL_FILE=str(folder / "database"),
        IDP_MIGRATION_DATABASE_URL=urls.migration,
        IDP_REDIS_URL_FILE=str(folder / "redis"),
    ) as node:
        yield node


def family_of(pid: int) -> list[int]:
    """The process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family_of(int(child)))]


def test_a_secret_from_a_file_is_in_no_command_line_and_no_environment(
    with_files: ServerProcess, urls: StoreUrls
) -> None:
    """SC2."""
    assert with_files.process is not None
    shown = [
        Path(f"/proc/{pid}/{view}").read_bytes()
        for pid in family_of(with_files.process.pid)
        for view in ("cmdline", "environ")
    ]

    assert len(shown) >= 4
    assert not [text for text in shown if SECRET.encode() in text or urls.database.encode() in text]


def test_the_log_of_a_start_shows_no_secret(with_files: ServerProcess, urls: StoreUrls) -> None:
    """SC2, SC5."""
    said = with_files.output()

    assert "idp serves" in said
    assert not [text for text in (SECRET, urls.database, urls.redis, urls.migration) if text in said]


async def test_health_tells_no_host_no_user_and_no_path(world: World, urls: StoreUrls) -> None:
    """SC5, SC9: Zitadel CVE-2024-32967."""
    answer = await world.http.get("/health/detailed")

    words = {word for url in (urls.database, urls.redis) for word in re.split(r"[:/@?=&%]+", url) if len(word) > 3}
    known = words - {"postgresql", "host", "unix", "redis", "idp_app"}
    assert answer.status_code == 200
    assert not [word for word in known | {"idp_app", "sock"} if word in answer.text]


async def test_everything_that_discovery_names_is_there(world: World) -> None:
    """SC10."""
    metadata = (await world.http.get("/.well-known/openid-configuration")).json()
    client = await world.client()

    for name, url in metadata.items():
        if name.endswith(("_endpoint", "_uri")):
            assert (await world.http.get(url)).status_code != 404, name
    for grant in metadata["grant_types_supported"]:
        refused = (await world.token(client.auth, grant_type=grant)).json().get("error")
        assert refused != "unsupported_grant_type", grant


GRANTS = (
    "authorization_code",
    "implicit",
    "urn:ietf:params:oauth:grant-type:device_code",
    "Password",
    "client_credentials ",
)


@pytest.mark.parametrize("grant", GRANTS)
async def test_no_grant_works_that_discovery_does_not_name(world: World, grant: str) -> None:
    """SC10, TE11, TE12."""
    metadata = (await world.http.get("/.well-known/openid-configuration")).json()
    client = await world.client()

    answer = await world.token(client.auth, grant_type=grant)

    assert (grant in metadata["grant_types_supported"]) == (answer.json()["error"] != "unsupported_grant_type")


@pytest.mark.parametrize("query", ["", "?issuer=https://evil.example", "?a=%ff&b=" + "x" * 500])
async def test_public_documents_say_the_same_whatever_a_request_claims(world: World, query: str) -> None:
    """PX4, PX6, PX3: a cache in front keeps nobody's claim."""
    claims = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "javascript",
        "Forwarded": "host=evil.example;proto=http",
        "X-Forwarded-Prefix": "/evil",
        "X-Original-URL": "/evil",
    }
    for path in ("/.well-known/openid-configuration", "/.well-known/jwks.json", "/openapi.json", "/api-docs", "/"):
        honest = await world.http.get(path)
        async with httpx.AsyncClient(base_url=world.settings.issuer, timeout=60, verify=False) as stranger:
            claimed = await stranger.get(path + query, headers=claims)

        assert claimed.content == honest.content
        assert "evil" not in str(claimed.headers)
