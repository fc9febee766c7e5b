"""
The issuer's address, and what follows from its parts: where pages lead, which cookies browsers keep, which origin forms have.

An issuer may have a path, as `https://example.com/auth`. Below it are all paths of this server; RFC 8414 (section 3.1) and
OpenID Connect Discovery (section 4.1) put their documents in different places then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

# How the paths of this server begin. A test compares it with the routes.
FIRST_SEGMENTS = frozenset(
    {
        ".well-known", "account", "admin", "api-docs", "assets", "auth", "consent", "continue", "demo", "forgot-password",
        "health", "login", "logout", "metrics", "oauth2", "openapi.json", "register", "reset-password", "select-account",
        "verify-email",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """*identifier*: as clients compare it. *origin*: as browsers write it. *path*: without a slash at its end; "" for none."""

    identifier: str
    origin: str
    path: str

    @classmethod
    def of(cls, identifier: str) -> Self:
        parts = urlsplit(identifier)
        return cls(identifier=identifier, origin=f"{parts.scheme}://{parts.netloc}", path=parts.path.rstrip("/"))

    @property
    def secure(self) -> bool:
        return self.origin.startswith("https://")

    @property
    def is_ambiguous(self) -> bool:
        """
        Whether a request path that begins with the issuer's may be one of this server without it: of the issuer
        `https://example.com/auth`, `/auth/login` is the page to sign in, or the REST endpoint behind a proxy that strips.
        """
        return self.path[1:] in FIRST_SEGMENTS
