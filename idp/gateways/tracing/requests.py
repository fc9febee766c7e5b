"""
The span of a whole request.

Whose trace it belongs to is said by `traceparent` (W3C Trace Context), and believed from trusted proxies only. From anybody
else it would let a stranger decide what is recorded and exported: there a trace of our own begins, sampled as we decide,
with a link to the one that was named.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    get_current_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

# Those of the semantic conventions; a caller may make up any other.
METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
NO_ROUTE = "other"
LONGEST = 512


class RequestSpans:
    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def request(self, method: str, traceparent: str, tracestate: str, *, trusted: bool) -> Iterator[RequestSpan]:
        """*traceparent* and *tracestate* as the caller sent them, empty if it did not."""
        name, known = (method, method) if method in METHODS else ("HTTP", "_OTHER")
        parent, links = self._origin(traceparent, tracestate, trusted=trusted)
        with self._tracer.start_as_current_span(
            name,
            context=parent,
            kind=SpanKind.SERVER,
            attributes={"http.request.method": known},
            links=links,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield RequestSpan(span, name)

    def _origin(self, traceparent: str, tracestate: str, *, trusted: bool) -> tuple[Context, list[Link]]:
        if not traceparent:
            return Context(), []
        carrier = {"traceparent": traceparent}
        if trusted and len(tracestate) <= LONGEST:
            carrier["tracestate"] = tracestate
        named = self._propagator.extract(carrier, context=Context())
        other = get_current_span(named).get_span_context()
        if trusted or not other.is_valid:
            return named, []
        plain = SpanContext(other.trace_id, other.span_id, is_remote=True, trace_flags=TraceFlags.get_default())
        return Context(), [Link(plain)]


class RequestSpan:
    def __init__(self, span: Span, name: str) -> None:
        self._span = span
        self._name = name

    def answered(self, route: str, status: int) -> None:
        """*route* is the pattern that matched. *status* 0: the caller went away before there was an answer."""
        if route != NO_ROUTE:
            self._span.update_name(f"{self._name} {route}")
            self._span.set_attribute("http.route", route)
        if not status:
            self._span.set_attribute("error.type", "disconnected")
            return
        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(Status(StatusCode.ERROR))
