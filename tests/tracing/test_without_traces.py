"""Who does not trace neither needs OpenTelemetry nor pays for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from process import ServerProcess
from world import World

from idp.app import create_app
from idp.database.postgres import tortoise_config
from idp.database.redis import RedisStore
from idp.database.servers import Servers
from idp.edge.edge import Edge
from idp.services.sessions.sessions import SessionService
from idp.services.sign_in.login import Login
from idp.services.tokens.authorization_server import AuthorizationServer

# redis-py looks for it at each start, and does without.
NOT_INSTALLED = """
import sys
frame = sys._getframe(1)
while "importlib" in frame.f_code.co_filename:
    frame = frame.f_back
with open(__file__ + ".asked", "a") as file:
    print(frame.f_code.co_filename, file=file)
raise ModuleNotFoundError("opentelemetry is not here")
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in front of all others in which `import opentelemetry` fails, and notes who asked."""
    folder = tmp_path_factory.mktemp("bare")
    package = folder / "opentelemetry"
    package.mkdir()
    (package / "__init__.py").write_text(NOT_INSTALLED)
    return folder


def path_with(folder: Path) -> str:
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


def test_a_server_that_does_not_trace_never_asks_for_it(bare: Path, tmp_path: Path) -> None:
    with ServerProcess(tmp_path, PYTHONPATH=path_with(bare)) as server:
        assert "/oauth2/token" in server.output()
    asked = (bare / "opentelemetry" / "__init__.py.asked").read_text().splitlines()
    assert asked, "nothing would be noted"
    assert [file for file in asked if "/redis/" not in file] == []


def test_without_the_extra_the_setting_is_refused_at_the_start(bare: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    environment |= {
        "PYTHONPATH": path_with(bare),
        "IDP_OTEL_ENDPOINT": "http://127.0.0.1:4318",
        "IDP_DATA_DIR": str(tmp_path / "data"),
        "IDP_KEYS_DIR": str(tmp_path / "keys"),
    }

    ended = subprocess.run(
        [sys.executable, "-m", "idp", "serve"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ended.returncode == 2
    assert "IDP_OTEL_ENDPOINT: OpenTelemetry is not installed; pip install 'idp[otel]'" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "data").exists(), "stores were started first"


def test_the_way_of_a_token_has_no_hook_where_nobody_traces(world: World) -> None:
    """Not a hook that does nothing: the very classes and functions, the same number of calls."""
    services = world.services

    assert services.tracing is None
    assert type(create_app(services, world.settings)) is Edge
    assert type(services.authorization_server) is AuthorizationServer
    assert type(services.session_service) is SessionService
    assert type(services.rest_sessions.login) is Login
    assert type(services.session_service.families._redis) is RedisStore  # type: ignore[attr-defined]
    pool = tortoise_config(Servers("postgresql://localhost/idp"), 2)["connections"]["default"]["credentials"]
    assert pool["connection_class"] is asyncpg.Connection
