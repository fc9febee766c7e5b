"""
Cookies: reading those of a request, writing ours.

Over https their names begin with `__Host-`: a browser takes such a cookie from the host itself only, with `Secure` and for
the whole host (RFC 6265bis, section 4.1.3.2), so no other host of the domain can plant one. An issuer with a path shares its
host with others: its cookies are for that path alone, which `__Host-` does not allow, and begin with `__Secure-`. Lax, not
Strict: a user who comes from a client's page is signed in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from idp.controllers.http.exchange import Exchange
from idp.domain.operation.issuers import Issuer

LONGEST = 512


@dataclass(frozen=True, slots=True)
class Cookie:
    """*name* without the prefix."""

    name: str
    issuer: Issuer

    @property
    def full_name(self) -> str:
        if not self.issuer.secure:
            return self.name
        return f"__Secure-{self.name}" if self.issuer.path else f"__Host-{self.name}"

    def read(self, exchange: Exchange) -> str | None:
        """Its value, whatever it is worth. One that comes twice counts for nothing: who knows which was planted."""
        values = {value for name, value in pairs(exchange) if name == self.full_name}
        return values.pop() if len(values) == 1 else None

    def written(self, value: str, lasts: timedelta | None = None) -> str:
        """A `Set-Cookie` header. *lasts* None: as long as the browser's window."""
        age = f"; Max-Age={int(lasts.total_seconds())}" if lasts is not None else ""
        secure = "; Secure" if self.issuer.secure else ""
        return f"{self.full_name}={value}{age}; Path={self.issuer.path or '/'}; HttpOnly; SameSite=Lax{secure}"

    def removed(self) -> str:
        return self.written("", timedelta(0))


def pairs(exchange: Exchange) -> Iterable[tuple[str, str]]:
    for header in exchange.headers.get(b"cookie", ()):
        for pair in header.decode("latin-1").split(";"):
            name, _, value = pair.strip().partition("=")
            if len(value) <= LONGEST:
                yield name, value
