"""Commands beside a running server on embedded stores, and with no server at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from process import ServerProcess
from program import Started

pytestmark = pytest.mark.isolated

PASSWORD = "Correct-Horse-7"


@pytest.fixture
def short() -> Iterator[Path]:
    """Sockets live in it."""
    path = Path(tempfile.mkdtemp(prefix="idp-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def beside(server: ServerProcess) -> Started:
    names = ("IDP_DATA_DIR", "IDP_KEYS_DIR", "IDP_BIND")
    return Started(server.folder, {name: server.environment[name] for name in names})


def test_what_commands_do_is_in_force_at_the_running_server(short: Path) -> None:
    with ServerProcess(short) as server, httpx.Client(base_url=server.url, timeout=60, verify=False) as http:
        program = beside(server)
        program.json(
            "users", "create", "--email", "ada@example.com", "--name", "Ada", "--password-stdin", typed=PASSWORD
        )
        client = program.json(
            "clients", "create", "--id", "app", "--name", "App", "--grant", "password", "--grant", "refresh_token"
        )
        auth = ("app", client["client_secret"])
        password = {"grant_type": "password", "username": "ada@example.com", "password": PASSWORD}
        tokens = http.post("/oauth2/token", auth=auth, data=password).json()
        revoked = program.json("sessions", "revoke", "--user", "ada@example.com")
        refreshing = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        refused = http.post("/oauth2/token", auth=auth, data=refreshing)
        examined = program("doctor")

    assert revoked == {"revoked": 1}
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert (examined.status, "Postgres 18 answers" in examined.out) == (0, True)
    assert server.process is not None
    assert server.process.returncode == 0


def test_without_a_server_a_command_starts_the_stores_and_leaves_none_behind(short: Path) -> None:
    program = Started(short, {"IDP_DATA_DIR": str(short / "data"), "IDP_KEYS_DIR": str(short / "keys")})

    made = program.json("clients", "create", "--id", "app", "--name", "App", "--grant", "client_credentials")
    between = program("doctor")
    shown = program.json("clients", "show", "app")

    assert "is not running" in between.out
    assert shown["created_at"] == made["created_at"]
