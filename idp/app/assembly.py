"""The application over open services: Quart's routes, the endpoints beside Quart, and the edge around both."""

from __future__ import annotations

from idp.app.endpoints import Asgi, beside_quart
from idp.app.pages import pages_of
from idp.app.routes import quart_app
from idp.bootstrap import Services
from idp.controllers.http.exchange import SCOPE_KEY, Receive, Scope, Send
from idp.domain.operation.issuers import Issuer
from idp.edge.addresses import Addresses
from idp.edge.cors import Cors
from idp.edge.edge import Edge
from idp.edge.framing import AbsoluteForm, Authorities
from idp.edge.issuer_path import IssuerPath
from idp.edge.traces import TracedEdge
from idp.gateways import log_lines
from idp.settings import Settings


def create_app(services: Services, settings: Settings, *, pretty: bool = False) -> Asgi:
    """The ASGI application over open *services*. *pretty*: the log is for a terminal."""
    pages = pages_of(settings)
    inside = Paths(beside_quart(services, settings, pages), quart_app(services, settings, pages).asgi_app)
    cors = Cors(token_origins=services.clients.origins, rest_origins=frozenset(settings.cors_origins))
    addresses, tracing = Addresses(settings.trusted_proxies), services.tracing
    authorities = Authorities(settings.issuer)
    edge = Edge(
        inside,
        addresses=addresses,
        authorities=authorities,
        cors=cors,
        log_request=log_lines.RequestLog(pretty=pretty, ids=tracing.ids if tracing else None),
        count=services.metrics.request,
    )
    whole: Asgi = TracedEdge(edge, tracing.requests, addresses) if tracing else edge
    path = Issuer.of(settings.issuer).path
    if not path or settings.proxy_strips_path:
        return whole
    return AbsoluteForm(IssuerPath(whole, path), authorities)


class Paths:
    """Exact paths that skip Quart; everything else is Quart's."""

    def __init__(self, exact: dict[str, Asgi], rest: Asgi) -> None:
        self._exact = exact
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        found = self._exact.get(path)
        if found is None:
            await self._rest(scope, receive, send)
            return
        scope[SCOPE_KEY].route = path
        await found(scope, receive, send)
