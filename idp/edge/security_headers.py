"""The headers of every answer, errors and static bytes included. A page of ours loads its own style and nothing else."""

from __future__ import annotations

from idp.controllers.http.answers import Headers
from idp.controllers.pages.policy import content_security_policy

SECURITY_HEADERS: Headers = [
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"content-security-policy", content_security_policy().encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"x-xss-protection", b"1; mode=block"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]
NO_STORE = (b"cache-control", b"no-store")


def completed(headers: Headers) -> Headers:
    """*headers* and those that every answer has; what an answer has set itself, it keeps. Not cached unless it says so."""
    names = {name for name, _ in headers}
    missing = [header for header in SECURITY_HEADERS if header[0] not in names]
    return [*headers, *missing] if b"cache-control" in names else [*headers, *missing, NO_STORE]
