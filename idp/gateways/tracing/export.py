"""
Where spans go: by OTLP over HTTP, in batches, from a thread of its own.

The event loop hands a span to a bounded queue and never waits. A collector that is down or slow costs spans and nothing
else; the log says so once, and once more when spans arrive again.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Tracer

log = structlog.get_logger("idp.traces")

EXPORT_TIMEOUT = 5  # seconds, for one batch
SHUTDOWN_DEADLINE = 3.0  # less than what a worker has left once its requests are done
PATH = "/v1/traces"


class ToldOnce(SpanExporter):
    """*exporter*, with one line in the log for each outage instead of one, or a stack, for each batch."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the next batch may go through
            return self._failed(len(spans), type(fault).__name__)
        if result is not SpanExportResult.SUCCESS:
            return self._failed(len(spans), "the collector did not take them")
        if self._lost:
            log.info("traces_exported_again", spans_lost=self._lost)
            self._lost = 0
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)

    def _failed(self, count: int, reason: str) -> SpanExportResult:
        if not self._lost:
            log.warning("traces_not_exported", reason=reason)
        self._lost += count
        return SpanExportResult.FAILURE


@asynccontextmanager
async def exporting(endpoint: str, headers: Mapping[str, str], service: str, ratio: float) -> AsyncIterator[Tracer]:
    """
    A tracer of which *ratio* of the traces go to *endpoint*, until the end of the block. Where a trace that others began
    goes on, what they decided counts.
    """
    # The library's own lines repeat with each batch and may carry a stack; `ToldOnce` speaks for them.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    resource = Resource.create(
        {"service.name": service, "service.version": version("idp"), "service.instance.id": str(uuid.uuid4())}
    )
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(ratio)), resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}{PATH}", headers=dict(headers), timeout=EXPORT_TIMEOUT)
    provider.add_span_processor(BatchSpanProcessor(ToldOnce(exporter)))
    try:
        yield provider.get_tracer("idp", version("idp"))
    finally:
        await _shut_down(provider)


async def _shut_down(provider: TracerProvider) -> None:
    """What is left goes out, or not: a collector that hangs must not keep the process."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def work() -> None:
        provider.shutdown()
        with suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=work, name="traces", daemon=True).start()
    try:
        async with asyncio.timeout(SHUTDOWN_DEADLINE):
            await done.wait()
    except TimeoutError:
        log.warning("traces_not_exported", reason="the collector did not answer before the shutdown")
