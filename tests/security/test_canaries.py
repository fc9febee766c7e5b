"""Secrets go in through every door; then they are looked for wherever something is written or answered (LG1, S7)."""

from __future__ import annotations

import base64
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx
import pytest
import redis.asyncio
from process import ServerProcess

from idp.database.servers import credentials
from idp.embedded import EmbeddedStores


@dataclass
class Canaries:
    """*sent*: presented by a caller. *issued*: what the server handed out, once. *answers*: to every request."""

    sent: list[str] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    answers: list[tuple[str, str]] = field(default_factory=list)

    def new(self, form: str = "{}") -> str:
        canary = form.format(f"Canary7{secrets.token_hex(12)}")
        self.sent.append(canary)
        return canary


class Caller:
    def __init__(self, server: ServerProcess, canaries: Canaries) -> None:
        self.canaries = canaries
        self.http = httpx.Client(base_url=server.url, timeout=30, verify=False)

    def send(self, method: str, path: str, **request: object) -> httpx.Response:
        headers = {"Cookie": f"session={self.canaries.new()}", **request.pop("headers", {})}
        answer = self.http.request(method, path, headers=headers, **request)
        self.canaries.answers.append((f"{method} {path}", answer.text + str(answer.headers)))
        return answer


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, Canaries]]:
    """A server through whose flows every canary has gone."""
    canaries = Canaries()
    with ServerProcess(
        tmp_path_factory.mktemp("canaries"), IDP_SECRET=canaries.new("{0}{0}"), IDP_LOG_FORMAT="json"
    ) as server:
        caller = Caller(server, canaries)
        over_rest(caller)
        with_mails(caller, server.folder / "data" / "mail")
        at_the_token_endpoint(caller, server.demo_secret())
        nonsense(caller)
        caller.http.close()
        yield server, canaries


def over_rest(caller: Caller) -> None:
    canaries, password = caller.canaries, caller.canaries.new()
    email = "canary@example.com"
    caller.send("POST", "/auth/register", json={"email": email, "password": password, "name": "Ada"})
    caller.send("POST", "/auth/register", json={"email": email, "password": canaries.new(), "name": "Ada"})
    caller.send(
        "POST", "/auth/register", json={"email": "x", "password": canaries.new("{}"), "name": canaries.new("{0}{0}")}
    )
    caller.send("POST", "/auth/login", json={"email": email, "password": canaries.new()})
    caller.send("POST", "/auth/login", json={"email": "nobody@example.com", "password": canaries.new()})
    caller.send("POST", "/auth/login", json={"email": email, "password": [canaries.new()], "other": canaries.new()})
    tokens = caller.send("POST", "/auth/login", json={"email": email, "password": password}).json()
    refreshed = caller.send("POST", "/auth/refresh", json={"refreshToken": tokens["refreshToken"]}).json()
    canaries.issued += [
        tokens["accessToken"],
        tokens["refreshToken"],
        refreshed["accessToken"],
        refreshed["refreshToken"],
    ]
    bearer = {"Authorization": f"Bearer {refreshed['accessToken']}"}
    caller.send("GET", "/auth/profile", headers=bearer)
    caller.send("PATCH", "/auth/profile", headers=bearer, json={"name": "Ada", "password": canaries.new()})
    caller.send("GET", "/auth/profile", headers={"Authorization": f"Bearer {canaries.new()}"})
    caller.send("GET", "/auth/profile", headers={"Authorization": f"Bearer {refreshed['accessToken'][:-9]}AAAAAAAAA"})
    caller.send("POST", "/auth/logout", json={"refreshToken": canaries.new("idp_rt_{}")})
    caller.send("POST", "/auth/logout-all", headers=bearer)


def with_mails(caller: Caller, folder: Path) -> None:
    """Passwords are changed and reset, addresses verified and changed; the tokens of the mails are canaries too."""
    canaries, password, newer, newest = caller.canaries, *(caller.canaries.new() for _ in range(3))
    email, other = "mailed@example.com", "moved@example.com"
    caller.send("POST", "/auth/register", json={"email": email, "password": password, "name": "Ada"})
    caller.send("POST", "/auth/verify-email", json={"token": mailed_token(canaries, folder, email, "Verify")})
    tokens = caller.send("POST", "/auth/login", json={"email": email, "password": password}).json()
    canaries.issued += [tokens["accessToken"], tokens["refreshToken"]]
    bearer = {"Authorization": f"Bearer {tokens['accessToken']}"}
    wrong = {"currentPassword": canaries.new(), "newPassword": canaries.new()}
    caller.send("POST", "/auth/change-password", headers=bearer, json=wrong)
    change = {"currentPassword": password, "newPassword": newer}
    caller.send("POST", "/auth/change-password", headers=bearer, json=change)
    caller.send("POST", "/auth/change-email", headers=bearer, json={"currentPassword": newer, "newEmail": other})
    caller.send("POST", "/auth/verify-email", json={"token": mailed_token(canaries, folder, other, "Confirm")})
    caller.send("POST", "/auth/forgot-password", json={"email": other})
    token = mailed_token(canaries, folder, other, "Reset")
    caller.send("POST", "/auth/reset-password", json={"token": token, "newPassword": newest})
    caller.send("POST", "/auth/reset-password", json={"token": token, "newPassword": canaries.new()})
    caller.send("POST", "/auth/reset-password", json={"token": canaries.new(), "newPassword": canaries.new()})
    tokens = caller.send("POST", "/auth/login", json={"email": other, "password": newest}).json()
    bearer = {"Authorization": f"Bearer {tokens['accessToken']}"}
    caller.send("DELETE", "/auth/profile", headers=bearer, json={"currentPassword": canaries.new()})


def mailed_token(canaries: Canaries, folder: Path, email: str, subject: str) -> str:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        for file in folder.glob(f"*-{email}.eml"):
            text = file.read_text()
            if f"Subject: {subject}" in text:
                token = re.search(r"\?token=([\w-]+)", text)
                assert token, "no link in the mail"
                canaries.issued.append(token[1])
                return token[1]
        time.sleep(0.02)
    raise AssertionError(f"no mail about {subject}")


def at_the_token_endpoint(caller: Caller, secret: str) -> None:
    canaries, app = caller.canaries, ("demo-app", secret)
    canaries.issued.append(secret)
    password = canaries.new()
    caller.send("POST", "/auth/register", json={"email": "app@example.com", "password": password, "name": "Ada"})
    person = {"grant_type": "password", "username": "app@example.com", "password": password}
    tokens = caller.send("POST", "/oauth2/token", data=person, auth=app).json()
    canaries.issued += [tokens["access_token"], tokens["refresh_token"]]
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    second = caller.send("POST", "/oauth2/token", data=refresh, auth=app).json()
    third = caller.send(
        "POST", "/oauth2/token", data=refresh | {"refresh_token": second["refresh_token"]}, auth=app
    ).json()
    canaries.issued += [second["refresh_token"], third["refresh_token"]]
    caller.send("POST", "/oauth2/token", data=refresh, auth=app)  # reuse: an event
    caller.send("POST", "/oauth2/token", data=refresh | {"client_id": "demo-spa"})
    caller.send("POST", "/oauth2/token", data=person | {"password": canaries.new()}, auth=app)
    caller.send("POST", "/oauth2/token", data=person, auth=("demo-app", canaries.new()))
    caller.send("POST", "/oauth2/token", data=person | {"client_id": "demo-app", "client_secret": canaries.new()})
    caller.send("POST", "/oauth2/token", data={"grant_type": "client_credentials", "client_assertion": canaries.new()})
    caller.send("POST", "/oauth2/token", data={"grant_type": "authorization_code", "code": canaries.new()}, auth=app)


def nonsense(caller: Caller) -> None:
    new = caller.canaries.new
    caller.send("POST", f"/oauth2/token?client_secret={new()}", data={"grant_type": "password"})
    caller.send("GET", f"/auth/login?password={new()}")
    caller.send("POST", "/auth/login", content=f'{{"password": "{new()}"', headers={"Content-Type": "application/json"})
    caller.send("POST", "/auth/login", content=new(), headers={"Content-Type": "text/plain"})
    caller.send(
        "POST",
        "/oauth2/token",
        content=f"password={new()}%ff",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    caller.send("GET", "/auth/profile", headers={"Authorization": f"Basic {base64.b64encode(new().encode()).decode()}"})


def test_no_log_holds_a_secret(told: tuple[ServerProcess, Canaries]) -> None:
    """LG1; joserfc CVE-2025-65015."""
    server, canaries = told
    # The welcome shows the demo client's secret: the log proper begins after it.
    logs = {server.log: server.output().split("jwks.json\n", 1)[1]}
    logs |= {file: file.read_text(errors="replace") for file in (server.folder / "data").rglob("*.log")}

    assert '"refresh_token_reused"' in logs[server.log]
    for file, text in logs.items():
        assert not found(text, canaries.sent + canaries.issued), file
        assert "canary@example.com" not in text, file


def test_no_answer_holds_a_secret_that_was_sent(told: tuple[ServerProcess, Canaries]) -> None:
    """LG1, AD9."""
    _, canaries = told
    for request, answer in canaries.answers:
        assert not found(answer, canaries.sent), request


async def test_postgres_holds_no_secret(told: tuple[ServerProcess, Canaries]) -> None:
    """LG1, RF16, RG4."""
    server, canaries = told
    urls = EmbeddedStores(server.folder / "data").attach()
    connection = await asyncpg.connect(**credentials(urls.migration))
    tables = await connection.fetch(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'audit')"
    )
    rows = [
        row["line"]
        for table in tables
        for row in await connection.fetch(f'SELECT t::text AS line FROM "{table[0]}"."{table[1]}" t')
    ]
    await connection.close()

    assert any("canary@example.com" in row for row in rows)
    assert not found("\n".join(rows), canaries.sent + canaries.issued)


async def test_valkey_holds_nothing_that_could_be_presented(told: tuple[ServerProcess, Canaries]) -> None:
    """LG1, RF16."""
    server, canaries = told
    urls = EmbeddedStores(server.folder / "data").attach()
    async with redis.asyncio.from_url(urls.redis) as cache:
        keys = [key async for key in cache.scan_iter()]
        content = b"\n".join([*keys, *[part for key in keys for part in await parts_of(cache, key)]])
    aof = b"".join(file.read_bytes() for file in Path(server.folder / "data").rglob("*.aof"))

    assert keys
    assert aof
    for raw in (content, aof):
        assert not found(raw.decode("latin-1"), canaries.sent + canaries.issued)
        assert not any(mac_of(token) in raw for token in canaries.issued if token.startswith("idp_rt_"))


async def parts_of(cache: redis.asyncio.Redis, key: bytes) -> list[bytes]:
    """What is kept under *key*: a hash, or one text."""
    if await cache.type(key) == b"hash":
        return [part for pair in (await cache.hgetall(key)).items() for part in pair]
    text = await cache.get(key)
    return [text] if text else []


def mac_of(refresh_token: str) -> bytes:
    return base64.urlsafe_b64decode(refresh_token.removeprefix("idp_rt_"))[-32:]


def found(text: str, canaries: list[str]) -> list[str]:
    return [canary for canary in canaries if canary in text]
