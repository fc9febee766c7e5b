"""What somebody meets who has just started the server."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from debian_programs import required
from process import ServerProcess

# Without TLS no certificates need be read, and a busy machine may take its time.
PLAIN: dict[str, Any] = {"timeout": 60, "verify": False}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("new"), new=True, limited=True, IDP_BCRYPT_ROUNDS="12") as running:
        yield running


def pasted(command: str) -> dict[str, object]:
    curl, *arguments = shlex.split(command)
    answer = subprocess.run([*required(curl), *arguments], capture_output=True, text=True, check=True, timeout=30)
    return json.loads(answer.stdout)


def welcome_commands(output: str) -> list[str]:
    joined = output.replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip().startswith("curl ")]


def test_the_lines_that_it_prints_work_when_pasted(server: ServerProcess) -> None:
    register, login, token, jwks = welcome_commands(server.output())

    assert pasted(register)["user"]["name"] == "Ada"
    assert set(pasted(login)) >= {"accessToken", "refreshToken", "user"}
    assert set(pasted(token)) >= {"access_token", "refresh_token", "expires_in"}
    assert pasted(jwks)["keys"]


def test_it_names_issuer_administrator_and_demo_clients(server: ServerProcess) -> None:
    output = server.output()

    assert f"idp serves {server.url}" in output
    password = re.search(r"admin@localhost\.test\s+Password\s+(\S+)", output)
    assert password
    signed_in = httpx.post(
        f"{server.url}/auth/login",
        json={"email": "admin@localhost.test", "password": password[1]},
        timeout=60,
        verify=False,
    )
    assert signed_in.json()["user"]["roles"] == ["ADMIN", "USER"]
    assert "demo-app" in output
    assert "demo-spa" in output
    assert f"{server.url}/demo" in output


def test_started_again_it_keeps_everything_and_shows_no_password(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    with server:
        person = {"email": "ada@example.com", "password": "Correct-Horse-7", "name": "Ada"}
        httpx.post(f"{server.url}/auth/register", json=person, **PLAIN).raise_for_status()
        tokens = httpx.post(
            f"{server.url}/auth/login", json={"email": person["email"], "password": person["password"]}, **PLAIN
        ).json()
        secret = server.demo_secret()
    server.log.unlink()
    with server:
        assert "Administrator" not in server.output()
        assert server.demo_secret() == secret
        again = httpx.post(f"{server.url}/auth/refresh", json={"refreshToken": tokens["refreshToken"]}, **PLAIN)
        assert again.status_code == 200


def test_stopped_it_leaves_no_process_and_ends_well(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path).start()
    assert processes_in(tmp_path)

    assert server.stop() == 0
    await_no_process_in(tmp_path)


def test_a_second_server_on_the_same_folder_says_whose_it_is(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as first:
        second = ServerProcess(tmp_path)
        second.environment["IDP_BIND"] = "127.0.0.1:1"
        second.environment |= {"IDP_BIND": f"127.0.0.1:{second.port}"}
        refused = subprocess.run(
            second._command, env=second.environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
        )

    assert refused.returncode == 1
    assert str(tmp_path / "data") in refused.stderr
    assert str(first.process.pid) in refused.stderr


def test_with_nothing_configured_a_second_copy_takes_the_next_port(tmp_path: Path) -> None:
    """A copy beside another one: free ports, own folders."""
    import socket

    with socket.socket() as taken:
        try:
            taken.bind(("127.0.0.1", 8000))
            taken.listen()
        except OSError:
            pass  # somebody else has it: as good
        server = ServerProcess(tmp_path)
        del server.environment["IDP_BIND"]
        process = subprocess.Popen(
            server._command,
            env=server.environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            line = next(line for line in process.stdout if "idp serves" in line)
            url = re.search(r"http://localhost:\d+", line)[0]
            assert not url.endswith(":8000")
            end = time.monotonic() + 120
            while time.monotonic() < end:
                try:
                    assert httpx.get(f"{url}/.well-known/openid-configuration", **PLAIN).json()["issuer"] == url
                    break
                except httpx.ConnectError:
                    time.sleep(0.05)
            else:
                raise AssertionError("never answered")
        finally:
            process.terminate()
            process.communicate(timeout=120)


def await_no_process_in(folder: Path) -> None:
    """Some end with the pipe to their parent, an instant after it."""
    end = time.monotonic() + 60
    while left := processes_in(folder):
        assert time.monotonic() < end, left
        time.sleep(0.05)


def processes_in(folder: Path) -> list[str]:
    """Command lines of processes that mention *folder*, or have it as their working folder; of zombies there is none."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            where = (process / "cwd").readlink()
        except OSError:
            continue
        if line and (str(folder) in line or where.is_relative_to(folder)):
            found.append(line)
    return found


def test_it_serves_on_granian_too(tmp_path: Path) -> None:
    pytest.importorskip("granian")
    with ServerProcess(tmp_path, arguments=("--server", "granian")) as server:
        app = ("demo-app", server.demo_secret())
        token = httpx.post(f"{server.url}/oauth2/token", data={"grant_type": "client_credentials"}, auth=app, **PLAIN)
        too_much = httpx.post(f"{server.url}/auth/login", content=b"x" * 100_000, **PLAIN)

    assert token.status_code == 200
    assert too_much.status_code == 413
    await_no_process_in(tmp_path)
