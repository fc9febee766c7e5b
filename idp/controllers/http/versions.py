"""Optimistic concurrency: `ETag` says which version was read, `If-Match` that only that one shall be changed (RFC 9110)."""

from __future__ import annotations

import re

from idp.controllers.http.exchange import current

ENTITY_TAG = re.compile(r'(?<![/\w])"([^"]*)"')


def etag(version: str) -> dict[str, str]:
    return {"ETag": f'"{version}"'}


def expected_versions() -> frozenset[str] | None:
    """
    Those that the request names; None when it does not care, or takes any (`*`).

    Weak ones, what is no entity tag, and a header without any match nothing (section 13.1.1): such a request is refused.
    """
    values = current().headers.get(b"if-match", ())
    presented = ",".join(value.decode("latin-1") for value in values)
    if not values or presented.strip() == "*":
        return None
    return frozenset(ENTITY_TAG.findall(presented))
