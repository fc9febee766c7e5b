"""
`idp serve`: the parent process.

It starts the embedded stores where none are configured, prepares them once, and keeps worker processes and stores alive.
It serves nothing itself, so that whatever happens to a worker, the stores and the other workers stay.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import wait
from types import FrameType
from typing import Any

import click
import structlog
from jinja2 import TemplateError

from idp.app import pages_of
from idp.bootstrap import Services, letters_of, running
from idp.cli.environment import Misconfigured, Stopped, embeds, refusals, settings, with_urls
from idp.cli.preparation import Prepared, migrate, missing_steps, prepare, welcome
from idp.embedded import EmbeddedBusy, EmbeddedFailed, EmbeddedStores, StoreUrls
from idp.gateways import log_lines, tracing
from idp.gateways.metrics_folder import MetricsFolder, metrics_folder
from idp.serving import granian_server
from idp.serving.granian_server import GranianServer
from idp.serving.open_files import raise_limit
from idp.serving.restarts import NoneStarts
from idp.serving.workers import Workers
from idp.settings import Settings

log = structlog.get_logger("idp.serve")

WATCH_SECONDS = 0.5  # between two looks at the stores; a worker that ends and a request to stop are seen at once
OTHER_PORTS = 20


@click.command("serve")
@click.option("--host", help="Address to listen on, instead of IDP_BIND's.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on, instead of IDP_BIND's.")
@click.option("--workers", type=click.IntRange(1, 256), help="Worker processes, instead of IDP_WORKERS.")
@click.option("--server", type=click.Choice(["hypercorn", "granian"]), help="What speaks HTTP, instead of IDP_SERVER.")
def command(host: str | None, port: int | None, workers: int | None, server: str | None) -> None:
    """
    Run the server until Ctrl-C or SIGTERM.

    Without IDP_DATABASE_URL and IDP_REDIS_URL it runs a PostgreSQL and a Valkey of its own in IDP_DATA_DIR.

    \b
    Example:
      idp serve --port 9000 --workers 2
    """
    chosen = _chosen(settings(), host, port, workers)
    chosen = replace(chosen, server=server or chosen.server)
    _compile_templates(chosen)
    _check_tracing(chosen)
    raise_limit()
    log_lines.configure(pretty=pretty(chosen))
    chosen, listener = _listening(chosen)
    embedded = EmbeddedStores(chosen.data_dir) if embeds(chosen) else None
    try:
        urls = with_urls(chosen, embedded.start() if embedded else None)
        prepared = _prepare(chosen, urls)
        click.echo(welcome(chosen, prepared), err=not sys.stdout.isatty())
        _warn(chosen)
        with metrics_folder(chosen.data_dir) as metrics:
            _serve(_server(chosen, urls, listener), listener, embedded, metrics)
    except (EmbeddedBusy, EmbeddedFailed) as fault:
        raise Stopped(str(fault)) from None
    finally:
        listener.close()
        if embedded is not None:
            embedded.stop()


def pretty(chosen: Settings) -> bool:
    if chosen.log_format == "auto":
        return chosen.env == "development" and sys.stdout.isatty()
    return chosen.log_format == "console"


def _compile_templates(chosen: Settings) -> None:
    """For all workers. What is wrong with the operator's own would be found by each of them otherwise, again and again."""
    letters_of(chosen.issuer)
    try:
        pages_of(chosen)
    except (TemplateError, ValueError, OSError) as fault:
        raise Stopped(f"IDP_TEMPLATES_DIR: {fault}") from None


def _check_tracing(chosen: Settings) -> None:
    if chosen.otel_endpoint is not None and (lacking := tracing.missing()):
        raise Misconfigured(f"IDP_OTEL_ENDPOINT: {lacking}")


def _chosen(given: Settings, host: str | None, port: int | None, workers: int | None) -> Settings:
    if host is None and port is None and workers is None:
        return given
    issuer = given.issuer
    if port is not None and issuer == f"http://localhost:{given.bind_port}":
        issuer = f"http://localhost:{port}"  # the default issuer follows the port, as it does for IDP_BIND
    return replace(
        given,
        bind_host=host or given.bind_host,
        bind_port=port or given.bind_port,
        bind_is_default=given.bind_is_default and port is None,
        workers=workers or given.workers,
        issuer=issuer,
    )


def _listening(chosen: Settings) -> tuple[Settings, socket.socket]:
    """A listening socket. In development with nothing configured, the next free port when another copy has the usual one."""
    try:
        return chosen, _bound(chosen.bind_host, chosen.bind_port)
    except OSError as fault:
        usual = f"http://localhost:{chosen.bind_port}"
        if not (chosen.bind_is_default and chosen.env == "development" and chosen.issuer == usual):
            raise Stopped(f"cannot listen on {chosen.bind_host}:{chosen.bind_port}: {fault.strerror}") from None
    for port in range(chosen.bind_port + 1, chosen.bind_port + OTHER_PORTS):
        with suppress(OSError):
            listener = _bound(chosen.bind_host, port)
            click.echo(f"Port {chosen.bind_port} is taken; using {port}.", err=True)
            return replace(chosen, bind_port=port, issuer=f"http://localhost:{port}"), listener
    raise Stopped(f"no free port from {chosen.bind_port} on")


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(4096)
    except OSError:
        listener.close()
        raise
    return listener


def _prepare(chosen: Settings, urls: StoreUrls) -> Prepared:
    async def whole() -> Prepared:
        if embeds(chosen) or chosen.env == "development":
            await migrate(urls, chosen.audit_retention)
        elif lacking := await missing_steps(urls):
            raise Stopped(f"the database lacks {', '.join(lacking)}: run `idp db migrate` first")
        async with running(chosen, urls, delivers=False) as services:
            return await _prepared(services)

    async def _prepared(services: Services) -> Prepared:
        return await prepare(chosen, services)

    with refusals():
        return asyncio.run(whole())


def _warn(chosen: Settings) -> None:
    if chosen.server == "granian" and chosen.env == "production" and not chosen.trusted_proxies:
        log.warning("granian_without_proxy", remedy="docs/reverse-proxies.md says what a proxy in front must refuse")


def _server(chosen: Settings, urls: StoreUrls, listener: socket.socket) -> Workers | GranianServer:
    if chosen.server == "granian":
        if not granian_server.installed():
            raise Misconfigured("Granian is not installed: pip install 'idp[fast]'")
        return GranianServer(chosen, urls, listener)
    return Workers(chosen, urls, listener, pretty=pretty(chosen))


def _serve(
    workers: Workers | GranianServer, listener: socket.socket, embedded: EmbeddedStores | None, metrics: MetricsFolder
) -> None:
    stopping = _Signals()
    workers.start()
    try:
        while not stopping.asked:
            stopping.wait(workers.sentinels(), WATCH_SECONDS)
            if embedded is not None:
                _revive(embedded)
            for pid in workers.restart_dead():
                log.error("worker_restarted", pid=pid)
                metrics.forget_dead()
    except NoneStarts as fault:
        raise Stopped(str(fault)) from None
    finally:
        listener.close()  # whoever connects when the last worker has stopped listening is refused, and does not wait
        workers.stop()  # also when this process fails: it would wait for them at its end otherwise, and they for nothing


def _revive(embedded: EmbeddedStores) -> None:
    try:
        for name in embedded.restart_dead():
            log.error("embedded_store_restarted", store=name)
    except EmbeddedFailed as fault:
        # Tried again the next time; what needs no store is served meanwhile. The store's own lines stay in its own log.
        log.error("embedded_store_down", reason=str(fault).partition("\n")[0])  # noqa: TRY400


class _Signals:
    """
    Ctrl-C and SIGTERM ask to stop; asked twice, nothing more happens: workers have their own deadline.

    Asked, it sends itself a byte: a wait that a signal interrupts would go on otherwise.
    """

    def __init__(self) -> None:
        self.asked = False
        self._noticing, self._telling = socket.socketpair()
        self._telling.setblocking(False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> Any:
        self.asked = True
        with suppress(BlockingIOError):
            self._telling.send(b"1")

    def wait(self, sentinels: list[int], seconds: float) -> None:
        """Until a signal comes, a process ends or *seconds* are over."""
        wait([self._noticing, *sentinels], seconds)
