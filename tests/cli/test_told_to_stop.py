"""SIGTERM before a command has done its work: as process 1 of a container it would not come through without a handler."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from process import free_port

LIMIT = 60


@pytest.mark.parametrize("command", [["serve"], ["db", "migrate"]], ids=" ".join)
def test_a_command_that_waits_for_its_database_ends_when_it_is_told(tmp_path: Path, command: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(LIMIT)
        port = silent.getsockname()[1]
        url = f"postgresql://idp@127.0.0.1:{port}/idp"
        given = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
        given |= {
            "IDP_DATABASE_URL": url,
            "IDP_REDIS_URL": "redis://127.0.0.1:1/0",
            "IDP_BIND": f"127.0.0.1:{free_port()}",
        }
        given |= {"IDP_ISSUER": "http://localhost:1", "IDP_KEYS_DIR": str(tmp_path / "keys")}
        process = subprocess.Popen(
            [sys.executable, "-m", "idp", *command], cwd=tmp_path, env=given, stderr=subprocess.PIPE, text=True
        )
        try:
            asking, _ = silent.accept()  # the database is asked, and does not answer
            process.send_signal(signal.SIGTERM)
            _, told = process.communicate(timeout=LIMIT)
            asking.close()
        finally:
            process.kill()

    assert process.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in told
