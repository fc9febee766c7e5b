"""Quart's routes: each with its access policy, all that serve programs in the description."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from quart import Blueprint, Quart
from werkzeug.routing import BaseConverter

from idp.app.pages import page_routes, pages_of, visits
from idp.bootstrap import Services
from idp.controllers.accounts.admin_users import user_routes
from idp.controllers.accounts.rest_account import account_routes
from idp.controllers.accounts.rest_emails import email_routes
from idp.controllers.accounts.rest_passwords import password_routes
from idp.controllers.accounts.rest_profile import profile_routes
from idp.controllers.accounts.rest_registration import registration_routes
from idp.controllers.audit.admin_audit import audit_routes
from idp.controllers.clients.admin_clients import client_routes
from idp.controllers.clients.client_registration import client_registration_routes
from idp.controllers.http.access import Guard, undeclared
from idp.controllers.http.limited import Limited
from idp.controllers.http.refusals import refuse
from idp.controllers.openapi import token_state
from idp.controllers.openapi.document import document
from idp.controllers.openapi.protocol import path_items
from idp.controllers.openapi.registration import registration_items
from idp.controllers.openapi.routes import Publication, openapi_routes, routes_of
from idp.controllers.operation.admin_keys import key_routes
from idp.controllers.operation.admin_statistics import statistics_routes
from idp.controllers.operation.demo import demo_routes
from idp.controllers.operation.health import health_routes
from idp.controllers.pages.assets import asset_routes
from idp.controllers.pages.front import front_routes
from idp.controllers.pages.hosted import Hosted
from idp.controllers.pages.rendering import Pages
from idp.controllers.sessions.admin_sessions import session_routes as admin_session_routes
from idp.controllers.sessions.own_sessions import own_session_routes
from idp.controllers.sign_in.devices import DeviceTokens
from idp.controllers.sign_in.rest_session import session_routes
from idp.controllers.tokens.well_known import (
    PATHS,
)
from idp.domain.operation.issuers import Issuer
from idp.gateways.templates import demo_folder
from idp.settings import Settings


class Anything(BaseConverter):
    """
    The rest of a path, slashes included: a client id may have them, percent-encoded in the URL. What ends with `/secret` is
    the secret of a client: decoded, the path no longer tells which slash was encoded.
    """

    regex = ".+(?<!/secret)"
    part_isolating = False


def quart_app(services: Services, settings: Settings, pages: Pages | None = None) -> Quart:
    app = Quart("idp", static_folder=None, template_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.converters["anything"] = Anything
    app.url_map.merge_slashes = False  # it would redirect to whatever the Host header names
    guard = Guard(
        services.access_tokens, services.own_interfaces, services.rate_limiter, services.events, services.changes
    )
    limited = Limited(services.rate_limiter)
    pages = pages or pages_of(settings)
    hosted = Hosted(pages=pages, visits=visits(services, settings))
    for routes in (
        front_routes(pages, settings.issuer),
        asset_routes(pages.assets),
        health_routes(services.health),
        *_auth_routes(services, guard, limited, DeviceTokens(Issuer.of(settings.issuer))),
        audit_routes(services.audit, services.cursors, guard),
        *_admin_routes(services, guard),
        *_registration_routes(services, settings),
        *page_routes(services, hosted),
        *([demo_routes(demo_folder(), settings.issuer)] if settings.env == "development" else []),
    ):
        app.register_blueprint(routes)
    app.register_blueprint(openapi_routes(Publication(lambda: _description(app, services, settings), pages)))
    refuse(app, hosted)
    if open_routes := undeclared(app.view_functions.items()):
        raise RuntimeError(f"routes without an access policy or an operation: {', '.join(open_routes)}")
    return app


def _auth_routes(services: Services, guard: Guard, limited: Limited, devices: DeviceTokens) -> list[Blueprint]:
    accounts = services.accounts
    return [
        registration_routes(services.registration, limited),
        session_routes(services.rest_sessions, guard, limited, devices),
        profile_routes(services.profile, guard, limited),
        account_routes(accounts.account_deletion, guard, limited, devices),
        password_routes(accounts.password_change, accounts.password_reset, guard, limited, devices),
        email_routes(accounts.email_verification, accounts.email_change, guard, limited, devices),
        own_session_routes(accounts.own_sessions, services.hosted.login, guard, limited),
    ]


def _admin_routes(services: Services, guard: Guard) -> list[Blueprint]:
    administration, cursors = services.administration, services.cursors
    return [
        user_routes(administration.users, cursors, guard),
        admin_session_routes(administration.sessions, administration.users, cursors, guard),
        client_routes(administration.clients, cursors, guard),
        key_routes(administration.keys, guard),
        statistics_routes(administration.statistics, guard),
    ]


def _registration_routes(services: Services, settings: Settings) -> list[Blueprint]:
    """None unless the operator lets clients register themselves."""
    registration = services.dynamic_registration
    if registration is None:
        return []
    return [client_registration_routes(registration, services.rate_limiter, settings.issuer)]


def _description(app: Quart, services: Services, settings: Settings) -> dict[str, Any]:
    protocol = (
        path_items(grant_types=services.authorization_server.grant_types, documents=PATHS) | token_state.path_items()
    )
    if services.dynamic_registration is not None:
        protocol |= registration_items()
    return document(routes_of(app), issuer=settings.issuer, version=version("idp"), protocol=protocol)
