"""
Which pages may read which answers (Fetch, CORS). A table of paths; what is not in it may be read by none.

    /oauth2/token, /oauth2/revoke
                    the origins that clients register; the endpoint itself narrows the answer to its own client, and
                    what is refused before a client is known, such as a body that cannot be read, is for all of them
    /oauth2/userinfo
                    the origins that clients register
    /auth/          the configured origins, with credentials
    /admin/         the configured origins; what it takes is a bearer token, never a cookie

Discovery and JWKS answer `*` themselves. Authorization and login pages are in no table, on purpose.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from idp.controllers.http.answers import EXPOSED_HEADERS, Headers

PREFLIGHT_SECONDS = b"600"
# What is read here, and what libraries and tracing add to every request of a page, which would fail for it. None of these
# is believed more than a header of anybody else's.
READ_HERE = ("authorization", "content-type", "device-token", "if-match", "if-none-match", "x-request-id")
ADDED_BY_OTHERS = (
    *("traceparent", "tracestate", "baggage", "sentry-trace", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid"),
    *("x-b3-sampled", "x-b3-flags", "uber-trace-id", "x-amzn-trace-id", "x-cloud-trace-context", "x-datadog-trace-id"),
    *("x-datadog-parent-id", "x-datadog-origin", "x-datadog-sampling-priority", "x-datadog-tags", "newrelic"),
    *("elastic-apm-traceparent", "request-id", "request-context", "x-correlation-id"),
    *("x-requested-with", "cache-control", "pragma", "expires", "x-client-version"),
)
ALLOWED_HEADERS = ", ".join((*READ_HERE, *ADDED_BY_OTHERS)).encode()
# As discovery says it. It counts for requests without credentials, and never for Authorization, which is named (Fetch, 4.8).
ANY_HEADER = b", *"
VARY = (b"vary", b"Origin")


@dataclass(frozen=True, slots=True)
class Policy:
    """
    *path*: one that ends with a slash is all below it. *answers*: whether the edge, and not the endpoint, marks the answers
    too; what the edge refuses, it always marks.
    """

    path: str
    methods: bytes
    origins: Callable[[], Awaitable[frozenset[str]]]
    credentials: bool
    answers: bool

    def covers(self, path: str) -> bool:
        return path.startswith(self.path) if self.path.endswith("/") else path == self.path


class Cors:
    def __init__(self, *, token_origins: Callable[[], Awaitable[frozenset[str]]], rest_origins: frozenset[str]) -> None:
        async def configured() -> frozenset[str]:
            return rest_origins

        self._policies = (
            Policy("/oauth2/token", b"POST", token_origins, credentials=False, answers=False),
            Policy("/oauth2/revoke", b"POST", token_origins, credentials=False, answers=False),
            Policy("/oauth2/userinfo", b"GET, POST", token_origins, credentials=False, answers=True),
            Policy("/auth/", b"GET, POST, PATCH, DELETE", configured, credentials=True, answers=True),
            Policy("/admin/", b"GET, POST, PUT, DELETE", configured, credentials=False, answers=True),
        )

    async def preflight(self, path: str, origin: str) -> Headers | None:
        """The headers of the answer to a preflight request; None where there is no policy for *path*."""
        policy = self._policy(path)
        if policy is None:
            return None
        if origin not in await policy.origins():
            return [VARY]
        return [
            *self._allow(policy, origin),
            (b"access-control-allow-methods", policy.methods),
            (b"access-control-allow-headers", ALLOWED_HEADERS + (b"" if policy.credentials else ANY_HEADER)),
            (b"access-control-max-age", PREFLIGHT_SECONDS),
        ]

    async def answer(self, path: str, origin: str | None, *, refused: bool) -> Headers:
        """*refused*: by the edge, before an endpoint knew which client asks: the pages of all of them may read why."""
        policy = self._policy(path)
        if policy is None or not (policy.answers or refused):
            return []
        if origin is None or origin not in await policy.origins():
            return [VARY]
        return [*self._allow(policy, origin), (b"access-control-expose-headers", EXPOSED_HEADERS)]

    def _policy(self, path: str) -> Policy | None:
        return next((policy for policy in self._policies if policy.covers(path)), None)

    def _allow(self, policy: Policy, origin: str) -> Headers:
        credentials = [(b"access-control-allow-credentials", b"true")] if policy.credentials else []
        return [(b"access-control-allow-origin", origin.encode("latin-1")), *credentials, VARY]
