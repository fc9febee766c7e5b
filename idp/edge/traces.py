"""
The edge inside the span of its request, so that all that happens for it, its log line included, belongs to one trace.

Only a server that traces has this around its edge.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

from idp.controllers.http.exchange import SCOPE_KEY, Receive, Scope, Send
from idp.edge.addresses import Addresses

# Asked for all the time, by programs that look whether this one lives: they would crowd out everything else.
PROBES = ("/health", "/metrics")


class RequestSpan(Protocol):
    def answered(self, route: str, status: int) -> None: ...


class RequestSpans(Protocol):
    def request(
        self, method: str, traceparent: str, tracestate: str, *, trusted: bool
    ) -> AbstractContextManager[RequestSpan]: ...


class TracedEdge:
    """*edge* inside. *addresses* knows whose `traceparent` is believed."""

    def __init__(self, edge: Any, spans: RequestSpans, addresses: Addresses) -> None:
        self._edge = edge
        self._spans = spans
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(PROBES):
            await self._edge(scope, receive, send)
            return
        status = 0

        async def noting(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        peer = (scope.get("client") or ("unknown", 0))[0]
        parent, state = _header(scope, b"traceparent"), _header(scope, b"tracestate")
        with self._spans.request(scope["method"], parent, state, trusted=self._addresses.trusts(peer)) as span:
            try:
                await self._edge(scope, receive, noting)
            finally:
                span.answered(scope[SCOPE_KEY].route if SCOPE_KEY in scope else "other", status)


def _header(scope: Scope, wanted: bytes) -> str:
    """Empty if it is missing or stands there twice: then nobody can tell which is meant."""
    values = [value for name, value in scope["headers"] if name.lower() == wanted]
    return values[0].decode("latin-1") if len(values) == 1 else ""
