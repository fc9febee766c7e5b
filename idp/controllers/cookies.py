"""
Cookies: reading those of a request, writing ours.

Over https their names begin with `__Host-`: a browser takes such a cookie from the host itself only, with `Secure` and for
the whole host (RFC 6265bis, section 4.1.3.2), so no other host of the domain can plant one. Lax, not Strict: a user who comes
from a client's page is signed in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from idp.controllers.exchange import Exchange

LONGEST = 512


@dataclass(frozen=True, slots=True)
class Cookie:
    """*name* without the prefix. *secure*: the issuer speaks https."""

    name: str
    secure: bool

    @property
    def full_name(self) -> str:
        return f"__Host-{self.name}" if self.secure else self.name

    def read(self, exchange: Exchange) -> str | None:
        """Its value, whatever it is worth. One that comes twice counts for nothing: who knows which was planted."""
        values = {value for name, value in pairs(exchange) if name == self.full_name}
        return values.pop() if len(values) == 1 else None

    def written(self, value: str, lasts: timedelta | None = None) -> str:
        """A `Set-Cookie` header. *lasts* None: as long as the browser's window."""
        age = f"; Max-Age={int(lasts.total_seconds())}" if lasts is not None else ""
        return f"{self.full_name}={value}{age}; Path=/; HttpOnly; SameSite=Lax{'; Secure' if self.secure else ''}"

    def removed(self) -> str:
        return self.written("", timedelta(0))


def pairs(exchange: Exchange) -> Iterable[tuple[str, str]]:
    for header in exchange.headers.get(b"cookie", ()):
        for pair in header.decode("latin-1").split(";"):
            name, _, value = pair.strip().partition("=")
            if len(value) <= LONGEST:
                yield name, value
