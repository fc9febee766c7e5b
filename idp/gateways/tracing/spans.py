"""
Spans around methods, put there when the server is wired and only if it traces: nobody else pays for a hook.

No argument, result or text of an exception becomes an attribute unless a `Method` picks it by name, so what is secret stays
out by construction.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, get_current_span

from idp.domain.errors import Refusal

Attributes = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """
    *name* of the method. *span* is the span's name, or makes one of the arguments. *asked* makes attributes of the
    arguments, *answered* of the result. *calls_out*: another program is called. *begins*: may be the first span of a
    trace; all others are left out where nobody traces, as in what goes on without a request.
    """

    name: str
    span: str | Callable[..., str]
    asked: Callable[..., Attributes] | None = None
    answered: Callable[[Any], Attributes] | None = None
    calls_out: bool = False
    begins: bool = False


class Spans:
    def __init__(self, tracer: Tracer) -> None:
        self.tracer = tracer

    @contextmanager
    def span(self, name: str, attributes: Attributes | None = None, *, calls_out: bool = False) -> Iterator[Span]:
        """Current until the end of the block. An exception leaves the name of its class and nothing else."""
        kind = SpanKind.CLIENT if calls_out else SpanKind.INTERNAL
        with self.tracer.start_as_current_span(
            name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except BaseException as fault:
                _mark(span, fault)
                raise

    def around(self, thing: object, *methods: Method) -> None:
        """
        From now on each call of these methods of *thing* is a span.

        The object gets a subclass of its class: its other methods, its fields and other objects of the class stay as they
        are, and what it calls on itself is a span too. Bound methods that were taken before are not.
        """
        kind = type(thing)
        spanned = {method.name: self._spanned(getattr(kind, method.name), method) for method in methods}
        same = {"__slots__": (), "__module__": kind.__module__, "__qualname__": kind.__qualname__}
        # Not setattr(): most of these are frozen.
        object.__setattr__(thing, "__class__", type(kind.__name__, (kind,), same | spanned))

    def _spanned(self, function: Callable[..., Any], method: Method) -> Callable[..., Any]:
        if not inspect.iscoroutinefunction(function):
            return self._spanned_plain(function, method)

        @functools.wraps(function)
        async def call(*args: Any, **kwargs: Any) -> Any:
            if not (method.begins or is_traced()):
                return await function(*args, **kwargs)
            with self._span_of(method, args, kwargs) as span:
                result = await function(*args, **kwargs)
                if method.answered is not None:
                    span.set_attributes(method.answered(result))
                return result

        return call

    def _spanned_plain(self, function: Callable[..., Any], method: Method) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not is_traced():
                return function(*args, **kwargs)
            with self._span_of(method, args, kwargs):
                return function(*args, **kwargs)

        return call

    def _span_of(self, method: Method, args: Any, kwargs: Any) -> Any:
        name = method.span if isinstance(method.span, str) else method.span(*args, **kwargs)
        attributes = method.asked(*args, **kwargs) if method.asked is not None else None
        return self.span(name, attributes, calls_out=method.calls_out)


def is_traced() -> bool:
    """Whether there is a span around this that is exported. One that has ended, as around a task it left behind, is not."""
    return get_current_span().is_recording()


def ids() -> dict[str, str]:
    """Of the span around this, for log lines: whoever reads one finds the other. Empty where nothing is traced."""
    context = get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def _mark(span: Span, fault: BaseException) -> None:
    span.set_attribute("error.type", type(fault).__name__)
    if isinstance(getattr(fault, "sqlstate", None), str):
        span.set_attribute("db.response.status_code", fault.sqlstate)  # type: ignore[attr-defined]
    # A wrong password is an answer and no error of this server.
    refused = isinstance(fault, Refusal) and fault.status < 500
    if isinstance(fault, Exception) and not refused:
        span.set_status(Status(StatusCode.ERROR))
