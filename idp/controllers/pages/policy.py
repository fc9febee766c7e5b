"""The Content-Security-Policy of a page: its own style, scripts and images, and what that one page needs beyond."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?")
REFUSED = {"javascript", "data", "blob", "vbscript"}


def content_security_policy(*, images: Iterable[str | None] = (), leads_to: str | None = None) -> str:
    """
    *images*: addresses from elsewhere; their origins are allowed if they are https. *leads_to*: where a form's answer sends
    the browser, a client's redirect_uri.

    Chromium checks each redirect after a form against `form-action`, those of the client's own site included: to another
    port, to an app's scheme, to plain http in a LAN. No server knows them, and no source stands for every scheme, so a page
    whose form leads to a client has no `form-action`. Markup from elsewhere, which that directive would disarm, is escaped.
    """
    sources = " ".join(["'self'", *sorted({_origin(image) for image in images if image} - {""})])
    directives = [
        "default-src 'none'",
        "style-src 'self'",
        f"img-src {sources}",
        "script-src 'self'",
        "base-uri 'none'",
        *(() if _is_a_place(leads_to) else ("form-action 'self'",)),
        "frame-ancestors 'none'",
    ]
    return "; ".join(directives)


def _origin(address: str) -> str:
    """Empty for a path of our own and for what no policy can name."""
    parts = _split(address)
    return f"https://{parts[1]}" if parts[0] == "https" and HOST.fullmatch(parts[1]) else ""


def _is_a_place(redirect_uri: str | None) -> bool:
    """Not where a browser would run what the address holds: no redirect leads there."""
    scheme, _ = _split(redirect_uri or "")
    return bool(scheme) and scheme not in REFUSED


def _split(address: str) -> tuple[str, str]:
    try:
        parts = urlsplit(address)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc
