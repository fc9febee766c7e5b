"""How much of a password check was waiting for a thread of bcrypt."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from opentelemetry.trace import get_current_span

from idp.gateways.passwords import BcryptPasswords
from idp.gateways.tracing.spans import Method, Spans, is_traced

WAITED = "idp.password.waited_ms"
VERIFY = Method(name="verify", span="verify password")
HASH = Method(name="hash", span="hash password")


def trace_passwords(spans: Spans, passwords: BcryptPasswords) -> None:
    """*passwords* is asked as before; the span of each check tells the milliseconds before it began."""
    spans.around(passwords, VERIFY, HASH)
    kind: Any = type(passwords)
    kind._run = _timed(kind._run)  # of this one object's own class


def _timed(run: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(run)
    async def timed(passwords: BcryptPasswords, work: Callable[[], Any]) -> Any:
        if not is_traced():
            return await run(passwords, work)
        span, asked_at = get_current_span(), time.perf_counter()

        def started() -> Any:
            span.set_attribute(WAITED, round((time.perf_counter() - asked_at) * 1000, 3))  # from its thread
            return work()

        return await run(passwords, started)

    return timed
