"""Two nodes on one Postgres and one Valkey, behind haproxy with the configuration that is shipped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import asyncpg
import prepared_stores
import replace_node
from begun import Begun
from certificates import self_signed
from debian_programs import required
from process import UNLIMITED, free_port

from idp.database.servers import credentials
from idp.embedded import EmbeddedStores

ROOT = Path(__file__).parents[2]
NODES = ("idp-1", "idp-2")
SOURCES = ("idp", "migrations", "templates", "examples/spa")
LIMIT = 120.0
SECRET = "a secret for a fleet that is long enough"


class Fleet(Begun):
    """All of release `1`, ready at *url*. Others are made with `release`, and deployed with `rollout`."""

    def __init__(self, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="idp-"))
        self.ports = {node: free_port() for node in NODES}
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        self.proxy: subprocess.Popen[bytes] | None = None
        self._started: list[subprocess.Popen[bytes]] = []
        self._given = settings

    def _begin(self, ends: ExitStack) -> None:
        ends.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._haproxy = required("haproxy")
        prepared_stores.prepare(self.folder / "stores")
        self.stores = EmbeddedStores(self.folder / "stores", durable=False)
        self.urls = self.stores.start()
        ends.callback(self.stores.stop)
        self.settings = {
            **UNLIMITED,
            "IDP_ISSUER": self.url,
            "IDP_SECRET": SECRET,
            "IDP_KEYS_DIR": str(self.folder / "keys"),
            "IDP_BCRYPT_ROUNDS": "4",
            "IDP_DATABASE_URL": self.urls.database,
            "IDP_MIGRATION_DATABASE_URL": self.urls.migration,
            "IDP_REDIS_URL": self.urls.redis,
            "IDP_TRUSTED_PROXIES": "127.0.0.1/32",
            "IDP_DRAIN": "3s",
            **self._given,
        }
        told = {"ports": self.ports, "settings": self.settings}
        (self.folder / "fleet.json").write_text(json.dumps(told))
        (self.folder / "releases").mkdir()
        ends.callback(self._stop_all)
        self.release("1")
        self._start_all()

    def _start_all(self) -> None:
        self_signed(self.folder / "tls.pem", "localhost")
        environment = {
            "HTTP": f"127.0.0.1:{free_port()}",
            "HTTPS": f"127.0.0.1:{self.port}",
            "CERTIFICATE": str(self.folder / "tls.pem"),
            "ADMIN_SOCKET": str(self.folder / "admin"),
            **{f"NODE_{number}": f"127.0.0.1:{at}" for number, at in enumerate(self.ports.values(), 1)},
        }
        first, *others = NODES
        assert replace_node.ready(self.start(first, "1"), self.ports[first]), self.log(first)
        started = [(node, self.start(node, "1")) for node in others]
        for node, process in started:
            assert replace_node.ready(process, self.ports[node]), self.log(node)
        with (self.folder / "haproxy.log").open("wb") as log:
            self.proxy = subprocess.Popen(
                [*self._haproxy, "-f", str(ROOT / "deploy/haproxy/haproxy.cfg")],
                env=os.environ | environment,
                stdout=log,
                stderr=log,
            )
        self.await_up()

    def _stop_all(self) -> None:
        if self.proxy is not None:
            self.proxy.terminate()
            self.proxy.wait(LIMIT)
        for node in NODES:
            with suppress(FileNotFoundError):
                self.kill(node)
        for process in self._started:
            process.wait(LIMIT)

    # Releases.

    def release(self, tag: str, tree: Path = ROOT, **settings: str) -> None:
        """That there is one: the sources in *tree*, and what its nodes are told besides."""
        (self.folder / "releases" / f"{tag}.json").write_text(json.dumps({"tree": str(tree), **settings}))

    def copied_tree(self, name: str) -> Path:
        """The sources, to be changed. With what is compiled already: a start would take seconds more."""
        for source in SOURCES:
            shutil.copytree(ROOT / source, self.folder / name / source)
        return self.folder / name

    def command(self, tag: str, *options: str) -> tuple[list[str], dict[str, str]]:
        """`deploy/rollout` for this fleet: its arguments and its environment."""
        migrate = f"{sys.executable} -m idp db migrate"
        tree = json.loads((self.folder / "releases" / f"{tag}.json").read_text())["tree"]
        nodes = [f"--node={node}=http://127.0.0.1:{at}" for node, at in self.ports.items()]
        driver = f"{sys.executable} {Path(replace_node.__file__)} {self.folder} {{node}} {{tag}}"
        arguments = [sys.executable, str(ROOT / "deploy/rollout"), "--tag", tag, *nodes, "--proxy", self.url]
        arguments += ["--ca", str(self.folder / "tls.pem"), "--migrate", migrate, "--replace", driver, *options]
        return arguments, self.environment | {"PYTHONPATH": tree}

    @property
    def environment(self) -> dict[str, str]:
        """Of a command on these stores."""
        return os.environ | self.settings | {"IDP_DATA_DIR": str(self.folder / "data")}

    # Nodes.

    def kill(self, node: str) -> None:
        """With every process of it, at once."""
        with suppress(ProcessLookupError):
            os.killpg(int((self.folder / f"{node}.pid").read_text()), signal.SIGKILL)

    def start(self, node: str, tag: str) -> subprocess.Popen[bytes]:
        process = replace_node.start(self.folder, node, tag)
        self._started.append(process)
        return process

    def log(self, node: str) -> str:
        return (self.folder / f"{node}.log").read_text(errors="replace")[-3000:]

    def await_up(self) -> None:
        """Until every node is ready, and haproxy knows."""
        end = time.monotonic() + LIMIT
        while not self.is_up():
            assert self.proxy is not None
            assert self.proxy.poll() is None, (self.folder / "haproxy.log").read_text()
            assert time.monotonic() < end, self.asked("show stat")
            time.sleep(0.1)

    def is_up(self) -> bool:
        """haproxy's word alone would be too late: it notices the end of a node after a second or two."""
        if not all(replace_node.answers(at) for at in self.ports.values()):
            return False
        try:
            lines = [line.split(",") for line in self.asked("show stat").splitlines()]
        except OSError:
            return False
        return [line[17] for line in lines if line[0] == "idp" and line[1] in NODES] == ["UP"] * len(NODES)

    def asked(self, question: str) -> str:
        """haproxy's answer at its admin socket."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.folder / "admin"))
            connection.sendall(f"{question}\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    async def revoked_sessions(self) -> int:
        database = await asyncpg.connect(**credentials(self.urls.migration))
        try:
            return int(await database.fetchval("SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL"))
        finally:
            await database.close()
