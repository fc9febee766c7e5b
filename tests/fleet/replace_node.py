"""
One node of a fleet on this machine: what a container engine does in earnest, as a command for `deploy/rollout --replace`.

    python replace_node.py FOLDER NODE TAG

FOLDER/fleet.json holds each node's port and what all nodes are told, FOLDER/releases/TAG.json what this release is told
besides, and under "tree" the sources it runs. The process is the leader of a group of its own; FOLDER/NODE.pid has its id.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

LIMIT = 90.0
PAUSE = 0.05


def replace(folder: Path, node: str, tag: str) -> bool:
    """Whether the node is ready with *tag*; False when the process ended before, or took too long."""
    stop(folder, node)
    return ready(start(folder, node, tag), port(folder, node))


def start(folder: Path, node: str, tag: str) -> subprocess.Popen[bytes]:
    told = json.loads((folder / "releases" / f"{tag}.json").read_text())
    tree = told.pop("tree")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("IDP_", "COV_", "PYTEST_"))
    }
    environment |= json.loads((folder / "fleet.json").read_text())["settings"]
    environment |= {"IDP_BIND": f"127.0.0.1:{port(folder, node)}", "IDP_DATA_DIR": str(folder / node)}
    with (folder / f"{node}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "idp", "serve"],
            cwd=folder,
            env=environment | {"PYTHONPATH": tree, "IDP_RELEASE": tag} | told,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (folder / f"{node}.pid").write_text(str(process.pid))
    return process


def stop(folder: Path, node: str) -> None:
    """As a rollout does: SIGTERM, and patience."""
    pid = int((folder / f"{node}.pid").read_text())
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    end = time.monotonic() + LIMIT
    while alive(pid):
        if time.monotonic() > end:
            raise TimeoutError(f"{node} does not end")
        time.sleep(PAUSE)


def alive(pid: int) -> bool:
    """A zombie is not: whoever started it may not have looked yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ready(process: subprocess.Popen[bytes], at: int) -> bool:
    end = time.monotonic() + LIMIT
    while process.poll() is None and time.monotonic() < end:
        if answers(at):
            return True
        time.sleep(PAUSE)
    return False


def answers(at: int) -> bool:
    """Whether the node on that port is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{at}/health/ready", timeout=5):
            return True
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return False
    except OSError:
        return False


def port(folder: Path, node: str) -> int:
    return int(json.loads((folder / "fleet.json").read_text())["ports"][node])


if __name__ == "__main__":
    sys.exit(not replace(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
