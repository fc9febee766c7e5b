"""
A backup by the commands of docs/backup.md, restored on a machine that has nothing: an empty Postgres, an empty Valkey.

The second server has the first one's secret and keys and another folder for its stores.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from process import ServerProcess
from program import Forked, Forks

pytestmark = pytest.mark.isolated

PASSWORD = "Correct-Horse-7"
EMAIL = "ada@example.com"


@pytest.fixture
def place() -> Iterator[Path]:
    """Sockets live in it."""
    path = Path(tempfile.mkdtemp(prefix="idp-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def beside(server: ServerProcess, forks: Forks) -> Forked:
    server.folder.mkdir(parents=True, exist_ok=True)
    names = {"IDP_DATA_DIR", "IDP_KEYS_DIR", "IDP_BIND", "IDP_ISSUER"} & set(server.environment)
    return Forked(server.folder, {name: server.environment[name] for name in names}, forks=forks)


def signed_in(http: httpx.Client) -> dict[str, Any]:
    answer = http.post("/auth/login", json={"email": EMAIL, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def refreshed(http: httpx.Client, tokens: dict[str, Any]) -> httpx.Response:
    return http.post("/auth/refresh", json={"refreshToken": tokens["refreshToken"]})


def verified(http: httpx.Client, tokens: dict[str, Any], issuer: str) -> dict[str, Any]:
    """By what the server publishes now, as a resource server does."""
    keys = jwt.PyJWKSet.from_dict(http.get("/.well-known/jwks.json").json())
    key = keys[jwt.get_unverified_header(tokens["accessToken"])["kid"]]
    return dict(jwt.decode(tokens["accessToken"], key, algorithms=["RS256"], audience=issuer, issuer=issuer))


def test_a_backup_of_a_running_server_is_restored_with_its_users_sessions_and_keys(place: Path, forks: Forks) -> None:
    issuer, dump = "https://idp.example", place / "idp.dump"
    with (
        ServerProcess(place / "old", IDP_ISSUER=issuer) as old,
        httpx.Client(base_url=old.url, timeout=60, verify=False) as http,
    ):
        program = beside(old, forks)
        program.json("users", "create", "--email", EMAIL, "--name", "Ada", "--password-stdin", typed=PASSWORD)
        kept, rotated, revoked = (signed_in(http) for _ in range(3))
        told = program.json("db", "dump", str(dump))
        since = refreshed(http, refreshed(http, rotated).json()).json()
        assert http.post("/auth/logout", json={"refreshToken": revoked["refreshToken"]}).status_code == 204

    # What docs/backup.md says to keep beside the dump.
    (place / "new" / "data").mkdir(parents=True, mode=0o700)
    shutil.copy2(place / "old" / "data" / "secret", place / "new" / "data" / "secret")
    shutil.copytree(place / "old" / "keys", place / "new" / "keys")
    new = ServerProcess(place / "new", IDP_ISSUER=issuer)
    restored = beside(new, forks).json("db", "restore", str(dump))
    again = beside(new, forks)("db", "restore", str(dump))

    with new, httpx.Client(base_url=new.url, timeout=60, verify=False) as http:
        program = beside(new, forks)
        claims = verified(http, kept, issuer)
        profile = http.get("/auth/profile", headers={"Authorization": f"Bearer {kept['accessToken']}"}).json()["user"]
        answers = {name: refreshed(http, one) for name, one in (("kept", kept), ("rotated", since), ("ended", revoked))}
        signed_in(http)
        trail = program("audit", "verify")
        everybody = program.json("sessions", "revoke", "--all", "--yes")
        afterwards = refreshed(http, answers["kept"].json())
        examined = program("doctor")

    assert told["bytes"] == dump.stat().st_size
    assert dump.stat().st_mode & 0o777 == 0o600
    assert restored == {"restored": str(dump), "lacks": []}
    assert (again.status, "the database is not empty" in again.err) == (1, True)
    assert (claims["sub"], profile["email"]) == (profile["id"], EMAIL)
    # Rotated twice since the dump: the token proves it. Ended since the dump: nothing is left that knows.
    assert {name: answer.status_code for name, answer in answers.items()} == {"kept": 200, "rotated": 200, "ended": 200}
    assert trail.status == 0, trail.out
    assert everybody["revoked"] >= 4
    assert afterwards.status_code == 401
    assert examined.status == 0, examined.out


def test_what_is_no_dump_changes_nothing(place: Path, forks: Forks) -> None:
    file = place / "no.dump"
    file.write_text("CREATE TABLE users ();")
    program = beside(ServerProcess(place / "only"), forks)

    refused = program("db", "restore", str(file))

    assert refused.status == 1
    assert "is no dump that pg_restore can read" in refused.err
    assert program("db", "status").status == 1
