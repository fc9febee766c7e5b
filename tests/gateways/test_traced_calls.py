"""What the span of a call to a client says: whom it went to and what came of it, and nothing that was said."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from places import Place, place

from idp.domain.operation.outgoing import OutgoingFailed
from idp.gateways.addresses import Reach
from idp.gateways.outgoing import GuardedOutgoing
from idp.gateways.tracing.calls import OUTGOING
from idp.gateways.tracing.spans import Spans

CANARY = "canary-of-the-client"


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    yield exporter
    assert all(CANARY not in span.to_json() for span in exporter.get_finished_spans())


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Spans:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Spans(provider.get_tracer("test"))


@pytest.fixture
async def outgoing(spans: Spans) -> AsyncIterator[GuardedOutgoing]:
    found = GuardedOutgoing(Reach(loopback=True), deadline=1.0)
    spans.around(found, *OUTGOING)
    yield found
    await found.close()


@pytest.fixture
async def client() -> AsyncIterator[Place]:
    async with place() as found:
        yield found


async def test_a_logout_notice_tells_host_and_status(
    client: Place, outgoing: GuardedOutgoing, spans: Spans, exporter: InMemorySpanExporter
) -> None:
    client.says(CANARY.encode(), "400 Bad Request")

    with spans.span("deliver logout notice"):
        await outgoing.post(f"http://localhost:{client.port}/{CANARY}?key={CANARY}", {"logout_token": CANARY})

    call, _ = exporter.get_finished_spans()
    assert (call.name, call.kind.name) == ("POST", "CLIENT")
    assert dict(call.attributes or {}) == {
        "http.request.method": "POST",
        "server.address": "localhost",
        "http.response.status_code": 400,
        "error.type": "400",
    }
    assert b"traceparent" not in client.asked[0].lower()


async def test_keys_that_cannot_be_read_leave_the_name_of_the_fault(
    client: Place, outgoing: GuardedOutgoing, spans: Spans, exporter: InMemorySpanExporter
) -> None:
    client.says(CANARY.encode(), "500 Oops")

    with spans.span("request"):
        for url in (f"http://localhost:{client.port}/{CANARY}", f"https://[{CANARY}"):
            with pytest.raises(OutgoingFailed):
                await outgoing.get(url, accept="application/json")

    found, odd, _ = exporter.get_finished_spans()
    assert dict(found.attributes or {}) == {
        "http.request.method": "GET",
        "server.address": "localhost",
        "error.type": "OutgoingFailed",
    }
    assert dict(odd.attributes or {}) == {"http.request.method": "GET", "error.type": "OutgoingFailed"}
