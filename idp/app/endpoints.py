"""The endpoints that skip Quart: hot, or answered with bytes that are made once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from idp.bootstrap import Services
from idp.controllers.clients.client_registration import PATH as REGISTRATION_PATH
from idp.controllers.operation.metrics import PATH as METRICS_PATH
from idp.controllers.operation.metrics import MetricsEndpoint
from idp.controllers.pages.rendering import Pages
from idp.controllers.sign_in.devices import DeviceTokens
from idp.controllers.tokens.token import PATH as TOKEN_PATH
from idp.controllers.tokens.token import TokenEndpoint
from idp.controllers.tokens.token_state import INTROSPECT_PATH, REVOKE_PATH, IntrospectionEndpoint, RevocationEndpoint
from idp.controllers.tokens.userinfo import PATH as USERINFO_PATH
from idp.controllers.tokens.userinfo import UserInfoEndpoint
from idp.controllers.tokens.well_known import (
    ENDPOINTS,
    JWKS,
    WellKnown,
    discovery,
    document_places,
)
from idp.domain.clients.client_keys import ALGORITHMS
from idp.domain.operation.issuers import Issuer
from idp.domain.tokens.scopes import ADVERTISED
from idp.services.clients.client_authentication import METHODS
from idp.settings import Settings

Asgi = Callable[[Any, Any, Any], Any]


def beside_quart(services: Services, settings: Settings, pages: Pages) -> dict[str, Asgi]:
    """By path. Each says who may call it, as `access`, like Quart's routes."""
    issuer = Issuer.of(settings.issuer)
    metadata = discovery(
        settings.issuer,
        grant_types=services.authorization_server.grant_types,
        auth_methods=METHODS,
        algorithms=services.administration.keys.offered(),
        auth_algorithms=ALGORITHMS,
        scopes=ADVERTISED,
        locales=pages.locales,
        endpoints=ENDPOINTS | ({"registration_endpoint": REGISTRATION_PATH} if services.dynamic_registration else {}),
    )
    places = document_places(issuer.path)
    well_known = WellKnown(
        keys=services.keys,
        documents=dict.fromkeys(places, metadata),
        max_age=settings.jwks_max_age,
    )
    token = TokenEndpoint(services.authorization_server, services.clients, DeviceTokens(issuer))
    metrics = MetricsEndpoint(services.metrics.text, settings.metrics_token)
    exact: dict[str, Asgi] = {
        TOKEN_PATH: token,
        REVOKE_PATH: RevocationEndpoint(services.token_state.revocation, services.clients),
        INTROSPECT_PATH: IntrospectionEndpoint(services.token_state.introspection, services.clients),
        USERINFO_PATH: UserInfoEndpoint(services.token_state.userinfo, services.rate_limiter),
        METRICS_PATH: metrics,
    }
    return exact | dict.fromkeys((*places, JWKS), well_known)
