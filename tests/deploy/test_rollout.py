"""
What `deploy/rollout` does when something is wrong before, during and after: seen by its exit status and by what it ran.

The nodes here are small servers that say what they are told to; tests/fleet has it on real ones, under load.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

ROLLOUT = Path(__file__).parents[2] / "deploy/rollout"
ISSUER = "https://id.example.com"
KEY = RSAKey.generate_key(2048, {"kid": "one"}, auto_kid=False)
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "one"}, auto_kid=False)
CLIENT = {"ROLLOUT_CLIENT_ID": "smoke", "ROLLOUT_CLIENT_SECRET": "canary-secret"}
NODES = ("one", "two")
LOSES = "loses"  # releases that are broken in one way each
FORGES = "forges"
DOWN = "down"


class FakeNode(BaseHTTPRequestHandler):
    """Its release is what the file named by the server holds."""

    server: Any

    @property
    def release(self) -> str:
        return str(self.server.file.read_text().strip())

    def do_GET(self) -> None:
        documents = {
            "/health/ready": {"status": "ok"},
            "/health/detailed": {"status": "ok", "checks": {}, "release": self.release},
            "/.well-known/openid-configuration": {
                "issuer": self.server.issuer,
                "jwks_uri": f"{self.server.issuer}/jwks",
                "token_endpoint": f"{self.server.issuer}/token",
                "revocation_endpoint": f"{self.server.issuer}/revoke",
            },
            "/jwks": {"keys": [KEY.as_dict(private=False)]},
        }
        self._answer(503 if self.release == DOWN else 200, documents[self.path])

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/token" and self.release == LOSES and "grant_type=refresh_token" in form:
            self._answer(400, {"error": "invalid_grant"})
            return
        now = int(time.time())
        claims = {"iss": self.server.issuer, "client_id": "smoke", "iat": now, "exp": now + 60}
        key = OTHER_KEY if self.release == FORGES else KEY
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)
        self._answer(200, {"access_token": token, "refresh_token": "canary-token"})

    def _answer(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""


class FakeFleet:
    def __init__(self, folder: Path, issuer: str = ISSUER) -> None:
        self.folder = folder
        self.issuer = issuer
        self.servers: list[Any] = []
        for node in NODES:
            (folder / node).write_text("1.0")
            server: Any = ThreadingHTTPServer(("127.0.0.1", 0), FakeNode)
            server.file = folder / node
            server.issuer = issuer
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            self.servers.append(server)

    def close(self) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def releases(self) -> list[str]:
        return [(self.folder / node).read_text().strip() for node in NODES]

    def done(self) -> list[str]:
        """What the commands wrote down, in order."""
        file = self.folder / "done"
        return file.read_text().splitlines() if file.exists() else []

    def roll(self, tag: str, *options: str, replace: str | None = None, **environment: str) -> tuple[int, str]:
        urls = [f"http://127.0.0.1:{server.server_address[1]}" for server in self.servers]
        nodes = [f"--node={node}={url}" for node, url in zip(NODES, urls, strict=True)]
        common = ("--proxy", urls[1], "--issuer", self.issuer, "--settle", "0", "--ready-within", "0.4")
        replace = replace or "echo {node} {tag} >> done; echo {tag} > {node}"
        ended = subprocess.run(
            [sys.executable, ROLLOUT, "--tag", tag, *nodes, "--replace", replace, *common, *options],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"]} | CLIENT | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "canary" not in ended.stdout + ended.stderr
        return ended.returncode, ended.stdout + ended.stderr


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[FakeFleet]:
    running = FakeFleet(tmp_path)
    yield running
    running.close()


USER = {"ROLLOUT_USER": "ada@example.com", "ROLLOUT_PASSWORD": "canary-Password-1"}


def test_it_migrates_and_then_replaces_one_node_after_the_other(fleet: FakeFleet) -> None:
    status, said = fleet.roll("1.1", "--migrate", "echo migrated {tag} >> done", **USER)

    assert status == 0, said
    assert fleet.done() == ["migrated 1.1", "one 1.1", "two 1.1"]


def test_nodes_are_asked_without_the_path_of_the_issuer(tmp_path: Path) -> None:
    """A node behind a proxy that strips it need not know it (IDP_PROXY_STRIPS_PATH)."""
    fleet = FakeFleet(tmp_path, f"{ISSUER}/auth")
    try:
        status, said = fleet.roll("1.1", **USER)
    finally:
        fleet.close()

    assert status == 0, said
    assert fleet.releases() == ["1.1", "1.1"]


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        (DOWN, "one was not ready with down"),
        (LOSES, "400 invalid_grant"),
        (FORGES, "the signature of the token is wrong"),
    ],
)
def test_a_release_that_is_not_well_reaches_one_node_and_leaves_it_again(fleet: FakeFleet, tag: str, said: str) -> None:
    status, output = fleet.roll(tag, **USER)

    assert status == 1
    assert said in output
    assert fleet.done() == [f"one {tag}", "one 1.0"]
    assert fleet.releases() == ["1.0", "1.0"]


def test_a_release_that_fails_at_its_second_node_leaves_both(fleet: FakeFleet) -> None:
    replace = "echo {node} {tag} >> done; test {node}{tag} != two1.1 && echo {tag} > {node}"

    status, output = fleet.roll("1.1", replace=replace)

    assert status == 1
    assert "back on 1.0" in output
    assert fleet.done() == ["one 1.1", "two 1.1", "two 1.0", "one 1.0"]
    assert fleet.releases() == ["1.0", "1.0"]


def test_a_way_back_that_fails_too_is_told_with_the_node(fleet: FakeFleet) -> None:
    status, output = fleet.roll(DOWN, replace="echo {node} {tag} >> done; test {tag} = down && echo down > {node}")

    assert status == 3
    assert "one: ended with status 1" in output


def test_a_migration_that_fails_touches_no_node(fleet: FakeFleet) -> None:
    status, output = fleet.roll("1.1", "--migrate", "exit 7")

    assert status == 1
    assert "status 7" in output
    assert fleet.done() == []


def test_nothing_is_begun_on_a_fleet_with_a_node_down(fleet: FakeFleet) -> None:
    (fleet.folder / "two").write_text(DOWN)

    status, output = fleet.roll("1.1", "--migrate", "echo migrated >> done")

    assert status == 1
    assert "not ready before anything was done: two" in output
    assert fleet.done() == []


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("1.1; rm -rf /",), {}, "letters, digits"),
        (("1.1", "--node", "three"), {}, "NAME=URL"),
        (("1.1", "--node", "one=http://127.0.0.1:1"), {}, "the same name"),
        (("1.1",), {"ROLLOUT_CLIENT_SECRET": ""}, "ROLLOUT_CLIENT_ID and ROLLOUT_CLIENT_SECRET"),
        (("1.1",), {"ROLLOUT_USER": "ada@example.com"}, "give both or none"),
    ],
    ids=["tag", "node", "twice", "no-client", "no-password"],
)
def test_wrong_usage_is_told_before_anything_is_done(
    fleet: FakeFleet, arguments: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    status, output = fleet.roll(*arguments, **environment)

    assert status == 2
    assert said in output
    assert fleet.done() == []
