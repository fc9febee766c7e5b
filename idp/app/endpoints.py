"""The endpoints that skip Quart: hot, or answered with bytes that are made once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from idp.bootstrap import Services
from idp.controllers.client_registration import PATH as REGISTRATION_PATH
from idp.controllers.devices import DeviceTokens
from idp.controllers.metrics import PATH as METRICS_PATH
from idp.controllers.metrics import MetricsEndpoint
from idp.controllers.pages.rendering import Pages
from idp.controllers.token import PATH as TOKEN_PATH
from idp.controllers.token import TokenEndpoint
from idp.controllers.token_state import INTROSPECT_PATH, REVOKE_PATH, IntrospectionEndpoint, RevocationEndpoint
from idp.controllers.userinfo import PATH as USERINFO_PATH
from idp.controllers.userinfo import UserInfoEndpoint
from idp.controllers.well_known import (
    ENDPOINTS,
    JWKS,
    WellKnown,
    discovery,
    document_places,
)
from idp.domain.client_keys import ALGORITHMS
from idp.domain.issuers import Issuer
from idp.domain.scopes import ADVERTISED
from idp.services.client_authentication import METHODS
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
