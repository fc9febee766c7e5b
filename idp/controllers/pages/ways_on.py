"""
Where a page leads that has to refuse what expired: a form, a sign-in, a sign-out. Who sees it may be signed in already, from
another tab or by the very form.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from idp.controllers.http.exchange import current
from idp.controllers.pages.visits import FormExpired, Visit
from idp.domain.clients.clients import Client
from idp.domain.errors import Refusal
from idp.domain.operation.issuers import Issuer
from idp.domain.sign_in.authorization_errors import RequestGone

# The page to sign in, for who is not.
ACCOUNT = "/account"
SIGN_OUT = "/logout"


def ways_on(refusal: Refusal, visit: Visit | None, issuer: Issuer) -> dict[str, Any]:
    """Values of the page `error`. By links, which the user follows: a handle names its client without any proof."""
    if isinstance(refusal, FormExpired):
        return {"back": _same_page(visit), **_to_client(None, issuer)}
    if isinstance(refusal, RequestGone):
        back = SIGN_OUT if current().path == SIGN_OUT else ACCOUNT
        return {"back": back, **_to_client(refusal.client, issuer)}
    return {"back": None, **_to_client(None, issuer)}


def _same_page(visit: Visit | None) -> str:
    """Every form is sent to the path of its page."""
    handle = visit.handle if visit is not None else None
    return f"{current().path}?{urlencode({'request': handle})}" if handle else current().path


def _to_client(client: Client | None, issuer: Issuer) -> dict[str, Any]:
    """OpenID Connect Core, section 4: the client begins another sign-in, here."""
    address = client.initiate_login_uri if client is not None else None
    if client is None or address is None:
        return {"client": None, "return_to": None}
    parameters = urlencode({"iss": issuer.identifier})
    return {"client": client, "return_to": f"{address}{'&' if '?' in address else '?'}{parameters}"}
