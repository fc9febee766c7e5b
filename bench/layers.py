"""
Where the CPU time of one refresh goes: each layer alone, in this process, on real stores.

What a layer calls is replaced by a stand-in, so that nothing counts twice; the wholes at the end are there to hold the
sum against. What the HTTP server costs is a refresh measured from outside less the last of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import uvloop

from bench import ours, report
from bench.in_process import Door, Opened, Refreshes, Rotations
from bench.signature import BareSignature
from idp.app import create_app
from idp.bootstrap import Services, now, running
from idp.cli.preparation import migrate
from idp.domain.operation.signing_keys import ALGORITHM
from idp.embedded import EmbeddedStores
from idp.gateways import log_lines
from idp.gateways.key_files import Signer
from idp.services.tokens.access_tokens import AccessTokens, Subject
from idp.services.tokens.authorization_server import Answer
from idp.settings import Settings, load

AT_ONCE = 16

Step = Callable[[], Awaitable[object]]
Measure = Callable[[int], Awaitable[float]]  # repetitions → µs


def run(
    embedded: EmbeddedStores, folder: Path, rounds: int, times: int, tell: Callable[[str], None]
) -> dict[str, float]:
    """Microseconds of CPU by layer, medians over *rounds* in which each layer in turn is repeated *times*."""
    return uvloop.run(_run(embedded, folder, rounds, times, tell))


def table(layers: Mapping[str, float]) -> str:
    return report.table(("layer", "µs CPU"), [(name, f"{cost:.1f}") for name, cost in layers.items()])


async def _run(
    embedded: EmbeddedStores, folder: Path, rounds: int, times: int, tell: Callable[[str], None]
) -> dict[str, float]:
    urls = embedded.start()
    await migrate(urls)
    settings = load(ours.environment(urls, folder))
    with (folder / "log").open("w") as log, contextlib.redirect_stdout(log):
        log_lines.configure(pretty=False)
        async with running(settings, urls) as services:
            layers = await _layers(services, settings)
            taken: dict[str, list[float]] = {name: [] for name in layers}
            for number in range(rounds):
                tell(f"layers, round {number + 1} of {rounds}")
                for name, measure in layers.items():
                    taken[name].append(await measure(times))
    return {name: statistics.median(costs) for name, costs in taken.items()}


async def _layers(services: Services, settings: Settings) -> dict[str, Measure]:
    door = await Door.new(services, AT_ONCE)
    first, *_ = await door.sessions()
    return {
        **_tokens(services, settings, first),
        **_authlib(services, first),
        **_stores(services, await door.sessions()),
        **_endpoint(services, settings, first),
        **_wholes(create_app(services, settings), await door.sessions()),
    }


def _tokens(services: Services, settings: Settings, opened: Opened) -> dict[str, Measure]:
    state, formatter = opened.presented.state, services.session_service.tokens
    subject = Subject.of(state.session, state.roles)
    no_rsa: Any = SimpleNamespace(algorithm=ALGORITHM, sign=lambda _: bytes(256))
    signer = Signer("kid", no_rsa)
    keys: Any = SimpleNamespace(sign=lambda payload, typ: signer.sign(payload, typ))
    unsigned = AccessTokens(
        keys,
        issuer=settings.issuer,
        lifetime=settings.access_token_ttl,
        now=now,
        sessions=services.sessions,
        revoked_tokens=services.revoked_tokens,
    )
    return {
        "RSA-2048 signature": _plain(BareSignature().sign),
        "JWT around it": _plain(lambda: unsigned.issue(subject)),
        "refresh token: read, MAC checked": _plain(lambda: formatter.read(opened.refresh_token)),
        "refresh token: written, with MAC": _plain(lambda: formatter.write(opened.presented.token)),
    }


def _authlib(services: Services, opened: Opened) -> dict[str, Measure]:
    """Authlib's own code, our hooks in it and the bridge between them; what the hooks ask answers at once."""
    server = copy.copy(services.authorization_server)
    stand_ins: dict[str, Any] = {
        "clients": SimpleNamespace(find=_answering(opened.client)),
        "access_tokens": SimpleNamespace(issue=lambda _: "signed", lifetime=900),
        "sessions": SimpleNamespace(present=_answering(opened.presented), rotate=_answering(opened.refresh_token)),
    }
    server.__dict__.update(stand_ins)
    headers = {"Authorization": opened.authorization}
    return {"Authlib under the bridge": _sequential(lambda: server.token(opened.form, headers))}


def _stores(services: Services, opened: Sequence[Opened]) -> dict[str, Measure]:
    rotations = [Rotations(services.session_service.families, one).step for one in opened]
    reads: list[Step] = [partial(services.sessions.find_family, one.presented.token.family_id) for one in opened]
    return {
        "Redis: rotation, one at a time": _sequential(rotations[0]),
        f"Redis: rotation, {AT_ONCE} at once": _at_once(rotations),
        "Postgres: session read, one at a time": _sequential(reads[0]),
        f"Postgres: session read, {AT_ONCE} at once": _at_once(reads),
    }


def _endpoint(services: Services, settings: Settings, opened: Opened) -> dict[str, Measure]:
    server = copy.copy(services.authorization_server)
    body = {"access_token": "x" * 700, "token_type": "Bearer", "expires_in": 900, "refresh_token": opened.refresh_token}
    server.__dict__.update(token=_answering(Answer(200, body, [], opened.client)))
    app = create_app(replace(services, authorization_server=server), settings)
    line = {"method": "POST", "path": "/oauth2/token", "status": 200, "seconds": 0.0012, "address": "127.0.0.1"}
    log = log_lines.RequestLog(pretty=False)
    return {
        "edge and endpoint, log line included": _sequential(Refreshes(app, opened, rotates=False).step),
        "of that: one JSON log line": _plain(lambda: log(**line, request_id="0123456789abcdef")),
    }


def _wholes(app: Any, opened: Sequence[Opened]) -> dict[str, Measure]:
    steps = [Refreshes(app, one).step for one in opened]
    return {
        "whole refresh as an ASGI call, one at a time": _sequential(steps[0]),
        f"whole refresh as an ASGI call, {AT_ONCE} at once": _at_once(steps),
    }


def _answering(answer: Any) -> Callable[..., Awaitable[Any]]:
    async def answered(*_: Any, **__: Any) -> Any:
        return answer

    return answered


def _plain(work: Callable[[], object]) -> Measure:
    async def measure(times: int) -> float:
        started = time.process_time()
        for _ in range(times):
            work()
        return (time.process_time() - started) / times * 1e6

    return measure


def _sequential(step: Step) -> Measure:
    return _at_once([step])


def _at_once(steps: Sequence[Step]) -> Measure:
    """Each of *steps* in a chain of its own, all chains together."""

    async def chain(step: Step, each: int) -> None:
        for _ in range(each):
            await step()

    async def measure(times: int) -> float:
        each = -(-times // len(steps))
        started = time.process_time()
        await asyncio.gather(*(chain(step, each) for step in steps))
        return (time.process_time() - started) / (each * len(steps)) * 1e6

    return measure
