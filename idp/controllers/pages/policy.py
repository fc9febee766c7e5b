"""The Content-Security-Policy of a page: its own style, scripts and images, and what that one page needs beyond."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?")
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
REFUSED = {"javascript", "data", "blob", "vbscript"}


def content_security_policy(*, images: Iterable[str | None] = (), leads_to: str | None = None) -> str:
    """
    *images*: addresses from elsewhere; their origins are allowed if they are https. *leads_to*: where a form's answer sends
    the browser, a client's redirect_uri.

    Browsers check each redirect after a form against `form-action`, those of the client's own site included, which no server
    knows. So an https client opens https as a whole, as the form of response_mode=form_post needs too.
    """
    sources = " ".join(["'self'", *sorted({_origin(image) for image in images if image} - {""})])
    targets = " ".join(["'self'", *_targets(leads_to)])
    return (
        f"default-src 'none'; style-src 'self'; img-src {sources}; script-src 'self'; "
        f"base-uri 'none'; form-action {targets}; frame-ancestors 'none'"
    )


def _origin(address: str) -> str:
    """Empty for a path of our own and for what no policy can name."""
    parts = _split(address)
    return f"https://{parts[1]}" if parts[0] == "https" and HOST.fullmatch(parts[1]) else ""


def _targets(redirect_uri: str | None) -> list[str]:
    scheme, host = _split(redirect_uri or "")
    if scheme == "http":
        # A policy has no way to write an IPv6 address.
        return ["https:", f"http://{host}" if HOST.fullmatch(host) else "http:"]
    return [f"{scheme}:"] if SCHEME.fullmatch(scheme) and scheme not in REFUSED else []


def _split(address: str) -> tuple[str, str]:
    try:
        parts = urlsplit(address)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc
