"""A collector of OpenTelemetry: takes spans by OTLP over HTTP, keeps every byte, and shows them as trees."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

LIMIT = 20.0
KINDS = {1: "internal", 2: "server", 3: "client"}


@dataclass
class SeenSpan:
    """*links*: the ids of the traces that it names. *failed*: its status is ERROR."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    links: list[str]
    failed: bool
    status_text: str
    events: int
    started_at: int
    ended_at: int
    children: list[SeenSpan] = field(default_factory=list)

    def under(self) -> Iterator[SeenSpan]:
        """All below, in the order of their start."""
        for child in sorted(self.children, key=lambda span: span.started_at):
            yield child
            yield from child.under()

    def below(self, name: str) -> SeenSpan:
        return next(span for span in self.under() if span.name == name)

    def drawn(self, depth: int = 0) -> str:
        milliseconds = (self.ended_at - self.started_at) / 1e6
        lines = [f"{'  ' * depth}{self.name}  {milliseconds:.1f} ms"]
        lines += [child.drawn(depth + 1) for child in sorted(self.children, key=lambda span: span.started_at)]
        return "\n".join(lines)


class Collector:
    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.headers.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
                collector.bodies.append(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def roots(self) -> list[SeenSpan]:
        """Spans without a parent here, with all that hangs on them, in the order of their start."""
        spans = {span.span_id: span for span in self._spans()}
        roots = []
        for span in spans.values():
            parent = spans.get(span.parent_id)
            (parent.children if parent else roots).append(span)
        return sorted(roots, key=lambda span: span.started_at)

    def resources(self) -> list[dict[str, Any]]:
        return [
            {pair.key: _value(pair.value) for pair in group.resource.attributes}
            for body in list(self.bodies)
            for group in ExportTraceServiceRequest.FromString(body).resource_spans
        ]

    def await_root(self, wanted: Callable[[SeenSpan], bool]) -> SeenSpan:
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            for root in reversed(self.roots()):
                if wanted(root):
                    return root
            time.sleep(0.05)
        raise AssertionError("no such trace among:\n" + "\n".join(root.drawn() for root in self.roots()))

    def _spans(self) -> Iterator[SeenSpan]:
        for body in list(self.bodies):
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in group.scope_spans:
                    yield from map(_seen, scope.spans)


def _seen(span: Any) -> SeenSpan:
    return SeenSpan(
        name=span.name,
        kind=KINDS[span.kind],
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        attributes={pair.key: _value(pair.value) for pair in span.attributes},
        links=[link.trace_id.hex() for link in span.links],
        failed=span.status.code == 2,
        status_text=span.status.message,
        events=len(span.events),
        started_at=span.start_time_unix_nano,
        ended_at=span.end_time_unix_nano,
    )


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))
