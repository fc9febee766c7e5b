"""A collector that is down or hung costs spans, and nothing else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from opentelemetry.trace import Tracer
from process import free_port
from structlog.testing import capture_logs

from idp.gateways.tracing import export
from idp.gateways.tracing.export import exporting


@pytest.fixture
def hung() -> Iterator[str]:
    """Takes connections, and answers nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    monkeypatch.setattr(export, "EXPORT_TIMEOUT", 0.2)
    monkeypatch.setattr(export, "SHUTDOWN_DEADLINE", 0.5)


async def test_an_outage_of_the_collector_is_one_line_in_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    with capture_logs() as lines:
        async with exporting(f"http://127.0.0.1:{free_port()}", {}, "idp", 1.0) as tracer:
            for _ in range(4):
                end_spans(tracer, 600)
                await asyncio.sleep(0.3)

    refused = [line for line in lines if line.get("reason") == "the collector did not take them"]
    assert [(line["event"], line["log_level"]) for line in refused] == [("traces_not_exported", "warning")]
    assert "Traceback" not in "".join(capfd.readouterr())


async def test_a_hung_collector_holds_neither_the_loop_nor_the_shutdown(
    hung: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "EXPORT_TIMEOUT", 60)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    with capture_logs() as lines:
        async with asyncio.timeout(30), exporting(hung, {}, "idp", 1.0) as tracer:
            end_spans(tracer, 5_000)  # more than the queue holds
            await asyncio.sleep(0.1)
            ticking = asyncio.create_task(tick())
    ticking.cancel()
    with suppress(asyncio.CancelledError):
        await ticking

    assert ticks > 3, "the loop stood still during the shutdown"
    assert "before the shutdown" in [line for line in lines if line["event"] == "traces_not_exported"][-1]["reason"]


def end_spans(tracer: Tracer, count: int) -> None:
    for _ in range(count):
        tracer.start_span("x").end()
