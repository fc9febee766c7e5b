"""A cluster and sentinels over TLS. The servers here cannot speak it, so each has a front that takes it off."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from places import certificate
from test_redis_topologies import Start, eventually, formed, opened, rotates, start

from idp.domain.errors import StoreUnavailable

__all__ = ["start"]

HANDSHAKE = b"\x16"


class Front(socketserver.ThreadingTCPServer):
    """Of a server on loopback. Callers that begin with a handshake get TLS; the servers among themselves do not."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), Caller)
        self.context = context
        self.behind = 0
        self.handshakes = 0

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, *_: Any) -> None:
        """A handshake that failed is the caller's to tell of."""


class Caller(socketserver.BaseRequestHandler):
    server: Front

    def handle(self) -> None:
        caller: socket.socket = self.request
        if caller.recv(1, socket.MSG_PEEK) == HANDSHAKE:
            caller = self.server.context.wrap_socket(caller, server_side=True)
            self.server.handshakes += 1
        with caller, socket.create_connection(("127.0.0.1", self.server.behind)) as behind:
            threading.Thread(target=passed, args=(behind, caller), daemon=True).start()
            passed(caller, behind)


def passed(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)


@contextmanager
def fronted(context: ssl.SSLContext) -> Iterator[Front]:
    with Front(context) as front:
        thread = threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield front
        finally:
            front.shutdown()
            thread.join()


@pytest.fixture
def fronts(tmp_path: Path) -> Iterator[tuple[Front, Front]]:
    context, _ = certificate(tmp_path, "localhost")
    with fronted(context) as one, fronted(context) as other:
        yield one, other


@pytest.fixture
def trusting(tmp_path: Path, fronts: object) -> str:
    return f"ssl_ca_certs={tmp_path / 'localhost.pem'}"


async def test_the_nodes_of_a_cluster_are_called_by_the_names_that_they_announce(
    start: Start, fronts: tuple[Front, Front], trusting: str
) -> None:
    named, announced = fronts
    port = start(
        "cluster-enabled yes",
        "requirepass pw",
        f"cluster-announce-port {announced.port}",
        "cluster-announce-hostname localhost",
        "cluster-preferred-endpoint-type hostname",
    )
    named.behind = announced.behind = port
    async with redis.asyncio.Redis(port=port, password="pw", decode_responses=True) as node:
        await eventually(node.ping)
        await node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        await eventually(lambda: formed(node))
        async with opened(f"rediss+cluster://:pw@localhost:{named.port}?{trusting}") as store:
            await rotates(store, node)

    assert named.handshakes > 0
    assert announced.handshakes > 0


async def test_sentinels_and_their_master_are_called_over_tls(
    start: Start, fronts: tuple[Front, Front], trusting: str
) -> None:
    watching, serving = fronts
    serving.behind = start("requirepass pw")
    watching.behind = start(
        "sentinel resolve-hostnames yes",
        "sentinel announce-hostnames yes",
        f"sentinel monitor idp localhost {serving.port} 1",
        "sentinel auth-pass idp pw",
        mode=("--sentinel",),
    )
    async with (
        redis.asyncio.Redis(port=serving.behind, password="pw") as cache,
        opened(f"rediss+sentinel://:pw@localhost:{watching.port}/idp?{trusting}") as store,
    ):
        await eventually(store.ping)
        await rotates(store, cache)

    assert watching.handshakes > 0
    assert serving.handshakes > 0


async def test_a_certificate_that_nobody_vouches_for_is_refused(start: Start, fronts: tuple[Front, Front]) -> None:
    front, _ = fronts
    front.behind = start("cluster-enabled yes", "requirepass pw")
    async with opened(f"rediss+cluster://:pw@localhost:{front.port}") as store:
        with pytest.raises(StoreUnavailable, match="ClusterError"):
            await store.ping()

    assert front.handshakes == 0


async def test_why_there_is_no_connection_is_told_without_where_it_leads(fronts: tuple[Front, Front]) -> None:
    """An operator sees whether to mend the certificate or the address."""
    front, _ = fronts
    for url, reason in (
        (f"rediss://:secret@localhost:{front.port}", "redis: ConnectionError (SSLCertVerificationError)"),
        ("redis://:secret@localhost:1", "redis: ConnectionError (ConnectionRefusedError)"),
    ):
        async with opened(url) as store:
            with pytest.raises(StoreUnavailable) as raised:
                await store.ping()
        assert raised.value.reason == reason
