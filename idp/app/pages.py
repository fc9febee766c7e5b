"""The hosted pages: their looks, who visits them, their routes."""

from __future__ import annotations

from functools import lru_cache

from quart import Blueprint

from idp.bootstrap import Services
from idp.controllers.accounts.account_page import AccountPages, account_page_routes
from idp.controllers.accounts.account_profile import application_routes, profile_page_routes
from idp.controllers.accounts.account_security import credential_routes, history_routes, session_page_routes
from idp.controllers.accounts.forgotten import forgotten_routes
from idp.controllers.accounts.register import register_routes, verification_routes
from idp.controllers.pages.brand import Brand
from idp.controllers.pages.hosted import Hosted
from idp.controllers.pages.rendering import Pages
from idp.controllers.pages.visits import Visits
from idp.controllers.sessions.logout import logout_routes
from idp.controllers.sign_in.authorize import authorize_routes
from idp.controllers.sign_in.consent import consent_routes
from idp.controllers.sign_in.login import login_routes
from idp.controllers.sign_in.select_account import select_account_routes
from idp.domain.operation.issuers import Issuer
from idp.gateways.templates import templates_folder
from idp.settings import Settings


@lru_cache(maxsize=2)
def pages_of(settings: Settings) -> Pages:
    """Read and compiled once: a process that forks does it for all that come of it."""
    own = [settings.templates_dir] if settings.templates_dir else []
    brand = Brand(
        name=settings.brand_name,
        logo_url=settings.brand_logo_url,
        color=settings.brand_color,
        links=settings.brand_links,
    )
    return Pages([*own, templates_folder()], brand, root=Issuer.of(settings.issuer).path)


def visits(services: Services, settings: Settings) -> Visits:
    issuer = Issuer.of(settings.issuer)
    return Visits(hosted_login=services.hosted.login, form_tokens=services.hosted.form_tokens, issuer=issuer)


def page_routes(services: Services, hosted: Hosted) -> list[Blueprint]:
    authorization = services.hosted.authorization
    return [
        authorize_routes(authorization, services.rate_limiter, hosted),
        login_routes(services.hosted.login, authorization, services.rate_limiter, hosted),
        select_account_routes(authorization, hosted),
        consent_routes(authorization, hosted),
        logout_routes(services.hosted.logout, services.rate_limiter, hosted),
        register_routes(services.registration, authorization, services.rate_limiter, hosted),
        verification_routes(services.accounts.email_verification, services.rate_limiter, hosted),
        *_account_routes(services, hosted),
        forgotten_routes(services.accounts.password_reset, services.rate_limiter, hosted),
    ]


def _account_routes(services: Services, hosted: Hosted) -> list[Blueprint]:
    pages, accounts, login = AccountPages(hosted, services.rate_limiter), services.accounts, services.hosted.login
    applications = services.hosted.applications
    return [
        account_page_routes(pages, accounts.own_sessions, applications, accounts.account_deletion, login),
        profile_page_routes(pages, services.profile),
        application_routes(pages, applications),
        credential_routes(pages, accounts.password_change, accounts.email_change),
        session_page_routes(pages, login, accounts.own_sessions),
        history_routes(pages, services.hosted.history, services.clients, services.cursors),
    ]
