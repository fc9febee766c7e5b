"""
Traces by OpenTelemetry (extra `otel`): the only place that knows it.

    spans       what a span is here, and how the methods of one object come to open them
    statements  a connection to Postgres of which each statement is a span
    passwords   how long a password waited for a thread
    calls       which attributes the spans of stores, tokens and calls of others have
    requests    the span of a whole request, and whose trace it belongs to
    export      where they go: in a thread of its own, with a deadline

This module itself imports none of it: a server that does not trace never loads OpenTelemetry.
"""

from __future__ import annotations

from importlib.util import find_spec

NEEDED = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter")


def missing() -> str | None:
    """What to do if OpenTelemetry is not installed; None if it is."""
    try:
        found = all(find_spec(name) is not None for name in NEEDED)
    except ImportError:
        found = False
    return None if found else "OpenTelemetry is not installed; pip install 'idp[otel]', or leave the setting out."
