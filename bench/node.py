"""
The peers, on Node: oidc-provider, and what tutorials build from Express.

npm installs them into peers/node_modules, once. They get the production mode of Node, a Valkey as durable as
ours, and the same client, key size and lifetimes.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import orjson

from bench import requests
from bench.driver import Script
from bench.processes import Cores, Program, free_port, pinned
from bench.requests import Workload
from bench.stores import PeerStore, bytes_kept
from bench.targets import LOGIN_CHAINS, Target

HERE = Path(__file__).parent / "peers"
INSTALLED = HERE / "node_modules" / ".package-lock.json"
CLIENT = ("bench", secrets.token_urlsafe(32))
CREDENTIALS = {"email": "user@example.com", "password": "Correct-Horse-7"}
TOKEN, LOGIN, JWKS = "/token", "/login", "/jwks"


class NotInstalled(Exception):
    """The peers cannot run here. The text says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """*program* is a file in peers/; *prefix* is that of its keys. Without *signs_in* it leaves sign-in to others."""

    name: str
    program: str
    prefix: str
    signs_in: bool


PEERS = (
    Peer("oidc-provider (Node)", "oidc.mjs", "oidc:", signs_in=False),
    Peer("Express tutorial (Node)", "express.mjs", "express:", signs_in=True),
)


def install() -> None:
    """Raises `NotInstalled`. Does nothing when they are as package.json wants them."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise NotInstalled("node and npm are not installed")
    if INSTALLED.exists() and INSTALLED.stat().st_mtime >= (HERE / "package.json").stat().st_mtime:
        return
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotInstalled(f"npm install failed: {done.stderr.strip()[-500:]}")


@contextmanager
def served(peer: Peer, store: PeerStore, *, chains: int, folder: Path, cores: Cores) -> Iterator[Target]:
    port = free_port()
    given = {
        "NODE_ENV": "production",
        "PORT": str(port),
        "REDIS_SOCKET": str(store.socket),
        "REDIS_PASSWORD": store.password,
        "CLIENT_ID": CLIENT[0],
        "CLIENT_SECRET": CLIENT[1],
        "EMAIL": CREDENTIALS["email"],
        "PASSWORD": CREDENTIALS["password"],
    }
    with pinned(cores.server):
        program = Program(peer.program, ["node", peer.program], folder=folder, cwd=HERE, environment=given)
    with program:
        program.await_answer(f"http://127.0.0.1:{port}{JWKS}")
        yield Target(
            name=peer.name,
            port=port,
            program=program,
            stores=(store.pid,),
            scripts=_scripts(peer, port, chains),
            new_session=lambda: _sessions(port, 1)[0],
            kept=partial(bytes_kept, store.url, f"{peer.prefix}*"),
        )


def _scripts(peer: Peer, port: int, chains: int) -> dict[Workload, list[Script]]:
    scripts = {
        Workload.REFRESH: _sessions(port, chains),
        Workload.CLIENT_CREDENTIALS: [requests.client_credentials(TOKEN, CLIENT) for _ in range(chains)],
        Workload.JWKS: [requests.jwks(JWKS) for _ in range(chains)],
    }
    if peer.signs_in:
        scripts[Workload.LOGIN] = [requests.login(LOGIN, CREDENTIALS) for _ in range(min(chains, LOGIN_CHAINS))]
    return scripts


def _sessions(port: int, count: int) -> list[Script]:
    answer = httpx.get(f"http://127.0.0.1:{port}/__seed", params={"n": count}, trust_env=False, timeout=30)
    answer.raise_for_status()
    return [requests.refresh(TOKEN, CLIENT, refresh_token) for refresh_token in answer.text.split()]


def runtime_version() -> str:
    return subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip().lstrip("v")


def package_versions() -> list[str]:
    wanted = orjson.loads((HERE / "package.json").read_bytes())["dependencies"]
    return [f"{name} {version}" for name, version in wanted.items()]
