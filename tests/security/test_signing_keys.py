"""Signing keys (JW): what is published, to whom, and that every process has the same."""

from __future__ import annotations

import asyncio
import base64
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from process import ServerProcess

PUBLIC = {"kty", "n", "e", "kid", "use", "alg"}
WORKERS = 4
ASKED = 24  # connections of their own, so that each of the workers is asked many times over


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Four workers that started at once on an empty folder, with a short-lived key set."""
    folder = tmp_path_factory.mktemp("keys")
    with ServerProcess(folder, IDP_WORKERS=str(WORKERS), IDP_JWKS_MAX_AGE="1s") as running:
        yield running


def command(node: ServerProcess, *arguments: str) -> None:
    words = [node._command[0], "-m", "idp", *arguments]
    subprocess.run(words, cwd=node.folder, env=node.environment, check=True, capture_output=True, timeout=60)


async def published(node: ServerProcess) -> list[list[dict[str, Any]]]:
    async def one() -> list[dict[str, Any]]:
        async with httpx.AsyncClient(base_url=node.url, timeout=60, verify=False) as http:
            keys: list[dict[str, Any]] = (await http.get("/.well-known/jwks.json")).json()["keys"]
            return keys

    return [await one() for _ in range(ASKED)]


async def agreed(node: ServerProcess) -> list[str]:
    """The key ids, once every worker gives the same. The limit guards against hanging."""
    async with asyncio.timeout(120):
        while len(seen := {tuple(key["kid"] for key in keys) for keys in await published(node)}) > 1:
            await asyncio.sleep(0.05)
    return list(seen.pop())


async def test_workers_that_start_at_once_have_one_key(node: ServerProcess) -> None:
    """JW20."""
    keys = await published(node)

    assert {len(one) for one in keys} == {1}
    assert len({one[0]["kid"] for one in keys}) == 1


async def test_only_public_members_of_strong_keys_are_published(node: ServerProcess) -> None:
    """JW14."""
    (key,) = (await published(node))[0]

    assert key.keys() == PUBLIC
    assert (key["kty"], key["use"], key["alg"]) == ("RSA", "sig", "RS256")
    assert len(base64.urlsafe_b64decode(key["n"] + "==")) * 8 >= 2048


async def test_a_key_set_is_kept_no_longer_than_a_new_key_waits(node: ServerProcess) -> None:
    """JW15."""
    async with httpx.AsyncClient(base_url=node.url, timeout=60, verify=False) as http:
        answer = await http.get("/.well-known/jwks.json")

    assert answer.headers["cache-control"] == "public, max-age=1"
    assert answer.headers["etag"]


def test_private_keys_are_for_their_owner_only(node: ServerProcess) -> None:
    """JW19."""
    folder = node.folder / "keys"
    files = [path for path in folder.iterdir() if path.suffix in (".json", ".pem", ".jwk")]

    assert files
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (folder, *files)} == {0}
    assert {path.stat().st_uid for path in files} == {os.getuid()}


async def test_every_worker_follows_a_rotation(node: ServerProcess) -> None:
    """JW18, JW16."""
    (before,) = await agreed(node)

    command(node, "keys", "rotate")
    async with asyncio.timeout(120):
        while len(after := await agreed(node)) == 1:
            await asyncio.sleep(0.05)

    assert before in after
    assert len(after) == 2


async def test_a_leaked_key_is_gone_from_every_worker_and_its_tokens_with_it(node: ServerProcess) -> None:
    """JW17."""
    async with httpx.AsyncClient(base_url=node.url, timeout=60, verify=False) as http:
        body = {"email": "leak@example.com", "password": "Correct-Horse-7"}
        await http.post("/auth/register", json={**body, "name": "Ada"})
        token = (await http.post("/auth/login", json=body)).json()["accessToken"]
    kid = jwt.get_unverified_header(token)["kid"]

    command(node, "keys", "retire", kid, "--compromised")
    async with asyncio.timeout(120):
        while kid in await agreed(node):
            await asyncio.sleep(0.05)

    answers = []
    for _ in range(ASKED):
        async with httpx.AsyncClient(base_url=node.url, timeout=60, verify=False) as http:
            answers.append((await http.get("/auth/profile", headers={"Authorization": f"Bearer {token}"})).status_code)
    assert set(answers) == {401}


def test_no_log_line_holds_a_private_member(node: ServerProcess) -> None:
    """JW19."""
    stored = [path.read_text() for path in Path(node.folder / "keys").iterdir() if path.suffix == ".json"]

    assert stored
    assert not [line for line in node.output().splitlines() if '"d":' in line or "PRIVATE KEY" in line]
