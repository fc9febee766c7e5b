"""What a span says of the method around which it is, and what it never does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from idp.domain.errors import InvalidToken
from idp.gateways.passwords import BcryptPasswords
from idp.gateways.tracing.passwords import trace_passwords
from idp.gateways.tracing.spans import Method, Spans, ids

CANARY = "canary-in-the-text"


@dataclass(frozen=True, slots=True)
class Service:
    name: str

    async def greet(self, other: str) -> str:
        return f"{self.name} greets {other}, {await self.ask()}"

    async def ask(self) -> str:
        return "and asks"

    async def fail(self, fault: BaseException) -> None:
        raise fault

    def sign(self, _: str) -> str:
        return "signed"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[Spans]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield Spans(provider.get_tracer("test"))
    provider.shutdown()


def names(exporter: InMemorySpanExporter) -> list[str]:
    return [span.name for span in exporter.get_finished_spans()]


async def failed(spans: Spans, exporter: InMemorySpanExporter, fault: BaseException) -> ReadableSpan:
    service = Service("Ada")
    spans.around(service, Method(name="fail", span="failing", begins=True))
    with pytest.raises(type(fault)):
        await service.fail(fault)
    (span,) = exporter.get_finished_spans()
    return span


async def test_calls_of_one_object_become_spans_and_those_of_another_do_not(
    spans: Spans, exporter: InMemorySpanExporter
) -> None:
    traced, other = Service("Ada"), Service("Grace")
    spans.around(traced, Method(name="greet", span="greeting", begins=True), Method(name="ask", span="asking"))

    assert await traced.greet("Grace") == "Ada greets Grace, and asks"
    assert await other.greet("Ada") == "Grace greets Ada, and asks"

    assert names(exporter) == ["asking", "greeting"]
    assert isinstance(traced, Service)
    assert type(other) is Service


async def test_arguments_and_results_stay_inside(spans: Spans, exporter: InMemorySpanExporter) -> None:
    service = Service(CANARY)
    spans.around(service, Method(name="greet", span="greeting", begins=True))

    await service.greet(CANARY)

    assert CANARY not in exporter.get_finished_spans()[0].to_json()


async def test_without_a_trace_around_it_a_method_has_no_span(spans: Spans, exporter: InMemorySpanExporter) -> None:
    service = Service("Ada")
    spans.around(service, Method(name="ask", span="asking"), Method(name="sign", span="signing"))

    await service.ask()
    service.sign("x")

    assert names(exporter) == []
    assert ids() == {}


async def test_what_a_request_leaves_behind_has_no_spans_once_it_is_over(
    spans: Spans, exporter: InMemorySpanExporter
) -> None:
    service, over = Service("Ada"), asyncio.Event()
    spans.around(service, Method(name="ask", span="asking"))

    async def later() -> None:
        await over.wait()
        await service.ask()

    with spans.span("request"):
        task = asyncio.create_task(later())
    over.set()
    await task

    assert names(exporter) == ["request"]


async def test_a_fault_leaves_its_class_and_never_its_text(spans: Spans, exporter: InMemorySpanExporter) -> None:
    span = await failed(spans, exporter, ValueError(CANARY))

    assert (span.attributes or {})["error.type"] == "ValueError"
    assert (span.status.is_ok, span.status.description) == (False, None)
    assert (CANARY in span.to_json(), span.events) == (False, ())


@pytest.mark.parametrize("fault", [InvalidToken(), asyncio.CancelledError()], ids=["refusal", "cancelled"])
async def test_what_is_no_fault_of_the_server_is_no_error(
    spans: Spans, exporter: InMemorySpanExporter, fault: BaseException
) -> None:
    span = await failed(spans, exporter, fault)

    assert (span.attributes or {})["error.type"] == type(fault).__name__
    assert span.status.is_unset


async def test_a_trace_that_is_not_sampled_costs_its_parts_nothing_and_names_log_lines() -> None:
    spans = Spans(TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False).get_tracer("test"))
    service, asked = Service("Ada"), []
    spans.around(service, Method(name="ask", span=lambda *_: asked.append(1) or "asking"))

    with spans.span("request"):
        await service.ask()
        assert len(ids()["trace_id"]) == 32

    assert asked == []


async def test_a_password_tells_how_long_it_waited_for_a_thread(spans: Spans, exporter: InMemorySpanExporter) -> None:
    passwords = BcryptPasswords(6, threads=1)
    trace_passwords(spans, passwords)

    with spans.span("request"):
        await asyncio.gather(*(passwords.verify(CANARY, None) for _ in range(4)))
    passwords.close()

    checks = [span for span in exporter.get_finished_spans() if span.name == "verify password"]
    waited = sorted(float((span.attributes or {})["idp.password.waited_ms"]) for span in checks)  # type: ignore[arg-type]
    assert len(waited) == 4
    assert 0 <= waited[0] < waited[-1]
