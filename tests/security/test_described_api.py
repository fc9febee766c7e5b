"""
The server against its own description (IN10): requests made from `/openapi.json`, good and bad, one by one and in sequences.

Every answer must be one that the description has, in its form; no input makes a 5xx.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from process import ServerProcess

PASSWORD = "Correct-Horse-7"
SESSION_ENDS_WITH = ("/auth/logout-all", "/admin/users/{userId}/sessions")

# A description says less than the server knows: that a cursor is signed, that a password is common. So 400 is a good
# answer to what only looks right; and what breaks the description may also be too large, or name a version that has gone.
CONFIGURATION = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "400", "401", "403", "404", "409", "412", "429"]

[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "412", "413", "415", "422", "429"]
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("described"), IDP_ADMIN_PASSWORD=PASSWORD) as running:
        yield running


def tried(node: ServerProcess, folder: Path, *, examples: int, seed: int) -> subprocess.CompletedProcess[str]:
    body = {"email": "admin@localhost.test", "password": PASSWORD}
    token = httpx.post(f"{node.url}/auth/login", json=body, timeout=60, verify=False).json()["accessToken"]
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{node.url}/openapi.json"]
    options = ["--checks", "all", "--continue-on-failure", "--no-shrink", "--generation-database", "none"]
    bounds = ["--max-examples", str(examples), "--seed", str(seed), "--request-timeout", "20"]
    excluded = [word for path in SESSION_ENDS_WITH for word in ("--exclude-path", path)]
    headers = ["--header", f"Authorization: Bearer {token}"]
    return subprocess.run(
        [*command, *options, *bounds, *excluded, *headers],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )


@pytest.mark.parametrize(
    ("examples", "seed"), [(10, 1), *(pytest.param(300, seed, marks=pytest.mark.soak) for seed in range(2, 6))]
)
def test_every_answer_is_one_that_the_description_has(
    node: ServerProcess, tmp_path: Path, examples: int, seed: int
) -> None:
    """IN10."""
    ended = tried(node, tmp_path, examples=examples, seed=seed)

    assert ended.returncode == 0, ended.stdout[-12000:]
    generated = re.search(r"(\d+) generated", ended.stdout)
    assert generated
    assert int(generated[1]) > 1000
    assert "unhandled_exception" not in node.output()
