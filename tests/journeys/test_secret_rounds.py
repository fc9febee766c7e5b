"""docs/key-rotation.md: a new IDP_SECRET comes to two nodes in three rounds, and no refresh in between is refused."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from process import ServerProcess

from idp.embedded import StoreUrls

OLD, NEW = "an old secret for tests that is long enough", "a new secret for tests that is long enough"
PERSON = {"email": "rounds@example.com", "password": "Correct-Horse-7", "name": "Ada"}


def node(folder: Path, urls: StoreUrls, secret: str) -> ServerProcess:
    return ServerProcess(
        folder,
        IDP_ISSUER="http://localhost:8000",
        IDP_DATABASE_URL=urls.database,
        IDP_MIGRATION_DATABASE_URL=urls.migration,
        IDP_REDIS_URL=urls.redis,
        IDP_KEYS_DIR=str(folder.parent / "keys"),
        IDP_SECRET=secret,
        IDP_REFRESH_GRACE="0s",
    )


def sign_in(at: ServerProcess) -> str:
    answer = httpx.post(
        f"{at.url}/auth/login", json={name: PERSON[name] for name in ("email", "password")}, timeout=30, verify=False
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["refreshToken"])


def refreshed(at: ServerProcess, token: str) -> str:
    answer = httpx.post(f"{at.url}/auth/refresh", json={"refreshToken": token}, timeout=30, verify=False)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["refreshToken"])


@pytest.mark.soak
@pytest.mark.isolated
def test_no_refresh_is_refused_while_the_secret_is_rotated(tmp_path: Path, urls: StoreUrls) -> None:
    """SC3: sessions go from node to node in every state in which the nodes differ."""
    first, second = node(tmp_path / "a", urls, OLD).start(), node(tmp_path / "b", urls, OLD).start()
    nodes = [first, second]
    try:
        assert httpx.post(f"{first.url}/auth/register", json=PERSON, timeout=30, verify=False).status_code == 201
        tokens = [sign_in(first), sign_in(second)]
        states = 0
        for secret in (f"{OLD},{NEW}", f"{NEW},{OLD}", NEW):
            for place in range(2):
                nodes[place].stop()
                nodes[place] = node(tmp_path / f"{'ab'[place]}{states}", urls, secret).start()
                for at in (*nodes, *reversed(nodes)):
                    tokens = [refreshed(at, token) for token in (*tokens, sign_in(at))]
                states += 1
    finally:
        for running in nodes:
            running.stop()
    print(f"{len(tokens)} sessions through {states} states of two nodes, none refused")
    assert len(tokens) == 2 + 4 * states
