"""
Who asks for a page: which browser, who is signed in there, and whether a form comes from a page of ours.

Two cookies. `idp-browser` tells browsers apart before anybody signs in: authorization requests and forms are bound to it.
`idp-session` stands for a sign-in and is another one after each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl
from uuid import UUID

from quart import g

from idp.controllers.http.cookies import Cookie
from idp.controllers.http.exchange import MOST_PARAMETERS, Exchange, current
from idp.controllers.sign_in.devices import DeviceTokens
from idp.domain.errors import Forbidden, Malformed
from idp.domain.operation.issuers import Issuer
from idp.domain.sign_in.browser_sessions import Visitor, digest_of, new_token
from idp.services.sign_in.devices import Device
from idp.services.sign_in.form_tokens import FormTokens
from idp.services.sign_in.hosted_login import BrowserSignIn, HostedLogin

TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
FORM_TOKEN = "csrf_token"  # noqa: S105 - the name of a field


class FormExpired(Forbidden):
    """It has no genuine token of ours, or comes from elsewhere; the page that it was on makes a new one."""

    detail = "This form has expired, or was sent from another page. Go back, reload the page and try again."


@dataclass(slots=True)
class Visit:
    """
    *browser_token* is new when the request brought none; only a GET is given its cookie. *cookies*: `Set-Cookie` headers of the
    answer. *fields* are those of the form.
    """

    browser_token: str
    visitor: Visitor | None
    device_token: str | None
    fields: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)

    @property
    def browser(self) -> str:
        return digest_of(self.browser_token)

    @property
    def handle(self) -> str | None:
        """Of the authorization request that the page is part of."""
        return self.fields.get("request") or self.query.get("request")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    hosted_login: HostedLogin
    form_tokens: FormTokens
    issuer: Issuer

    @property
    def browser_cookie(self) -> Cookie:
        return Cookie("idp-browser", self.issuer)

    @property
    def session_cookie(self) -> Cookie:
        return Cookie("idp-session", self.issuer)

    @property
    def devices(self) -> DeviceTokens:
        return DeviceTokens(self.issuer)

    async def begin(self) -> Visit:
        """Of the request that is served now. Raises `Malformed` for parameters that cannot be read, or come twice."""
        exchange = current()
        if exchange.unreadable is not None:
            raise exchange.unreadable
        token = self.browser_cookie.read(exchange)
        known = token is not None and TOKEN.fullmatch(token)
        visit = Visit(
            browser_token=token if token and known else new_token(),
            visitor=await self.hosted_login.visitor(self.session_cookie.read(exchange)),
            device_token=self.devices.presented(exchange),
            fields=_unique(exchange.form),
            query=_unique(query_of(exchange)),
        )
        # A form without the cookie is refused anyway. Were it given one, any site could have a form sent here whose answer
        # takes from the browser the cookie that its other tabs rely on.
        if not known and exchange.method == "GET":
            visit.cookies.append(self.browser_cookie.written(visit.browser_token))
        g.visit = visit
        return visit

    def form_token(self, visit: Visit, *, own: bool) -> str:
        return self.form_tokens.make(visit.browser_token, _session(visit, own=own))

    def check_form(self, visit: Visit, *, own: bool) -> None:
        """
        Raises `FormExpired` for a form that no page of ours has sent. *own*: only of the user who is signed in now; the form to
        sign in is anybody's, also of who has signed in from another tab meanwhile.
        """
        self.check_origin(current())
        presented = visit.fields.get(FORM_TOKEN, "")
        if not self.form_tokens.genuine(presented, visit.browser_token, _session(visit, own=own)):
            raise FormExpired(reason="form token missing or wrong")

    def check_origin(self, exchange: Exchange) -> None:
        """
        By what the browser says of where a form comes from: Fetch Metadata and Origin, where it sends them.

        Our pages send no referrer, so a browser gives their forms the origin "null". Old browsers, an http issuer in a network
        and proxies that drop `Sec-Fetch-*` leave it at that: any site can send "null", so there the form's token decides.
        """
        site, origin = exchange.header(b"sec-fetch-site"), exchange.header(b"origin")
        if site not in (None, "same-origin") or origin not in (None, "null", self.issuer.origin):
            raise FormExpired(reason="form of another site")

    def signed_in(self, visit: Visit, done: BrowserSignIn) -> None:
        """From the answer on the browser is signed in, and known as one of the user's."""
        visit.cookies.append(self.session_cookie.written(done.token, done.lasts))
        self.known(visit, done.device)

    def known(self, visit: Visit, device: Device) -> None:
        visit.cookies.append(self.devices.headers(device)["Set-Cookie"])

    def signed_out(self, visit: Visit) -> None:
        visit.visitor = None
        visit.cookies.append(self.session_cookie.removed())


def query_of(exchange: Exchange) -> list[tuple[str, str]]:
    """Raises `Malformed`."""
    try:
        text = exchange.query.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise Malformed(f"Send at most {MOST_PARAMETERS} parameters, percent-encoded as UTF-8.") from None
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise Malformed("A parameter holds a NUL character.")
    return pairs


def _unique(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Raises `Malformed` for a repeated name, but at the authorization endpoint, which has answers of its own."""
    found = dict(pairs)
    if len(found) != len(pairs) and not current().path.startswith("/oauth2/"):
        raise Malformed("A parameter is repeated.")
    return found


def _session(visit: Visit, *, own: bool) -> UUID | None:
    return visit.visitor.session.id if own and visit.visitor else None
