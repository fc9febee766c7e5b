"""
Which pages may read which answers (Fetch, CORS). A table of path prefixes; what is not in it may be read by none.

    /oauth2/token, /oauth2/revoke
                    the origins that clients register; the endpoint itself narrows the answer to its own client
    /oauth2/userinfo
                    the origins that clients register
    /auth/          the configured origins, with credentials
    /admin/         the configured origins; what it takes is a bearer token, never a cookie

Discovery and JWKS answer `*` themselves. Authorization and login pages are in no table, on purpose.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from idp.controllers.answers import EXPOSED_HEADERS, Headers

PREFLIGHT_SECONDS = b"600"
ALLOWED_HEADERS = b"authorization, content-type, device-token, if-match, x-request-id"
VARY = (b"vary", b"Origin")


@dataclass(frozen=True, slots=True)
class Policy:
    """*answers*: whether the edge, and not the endpoint, marks the answers too."""

    prefix: str
    methods: bytes
    origins: Callable[[], Awaitable[frozenset[str]]]
    credentials: bool
    answers: bool


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
            (b"access-control-allow-headers", ALLOWED_HEADERS),
            (b"access-control-max-age", PREFLIGHT_SECONDS),
        ]

    async def answer(self, path: str, origin: str | None) -> Headers:
        policy = self._policy(path)
        if policy is None or not policy.answers:
            return []
        if origin is None or origin not in await policy.origins():
            return [VARY]
        return [*self._allow(policy, origin), (b"access-control-expose-headers", EXPOSED_HEADERS)]

    def _policy(self, path: str) -> Policy | None:
        return next((policy for policy in self._policies if path.startswith(policy.prefix)), None)

    def _allow(self, policy: Policy, origin: str) -> Headers:
        credentials = [(b"access-control-allow-credentials", b"true")] if policy.credentials else []
        return [(b"access-control-allow-origin", origin.encode("latin-1")), *credentials, VARY]
