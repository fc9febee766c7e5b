"""`/login`: the address and the password."""

from __future__ import annotations

from typing import Any

from quart import Blueprint, Response

from idp.controllers.http.exchange import current
from idp.controllers.pages.hosted import Hosted, page
from idp.controllers.pages.notices import Notice
from idp.controllers.pages.visits import Visit
from idp.controllers.sign_in.authorize import CONTINUE, onward
from idp.domain.errors import FieldError, InvalidCredentials, TooManyAttempts, Unavailable, ValidationFailed
from idp.domain.sign_in.authorization import Step
from idp.services.operation.rate_limiter import RateLimiter
from idp.services.sign_in.authorization import Authorization, Page, Pending
from idp.services.sign_in.hosted_login import HostedLogin


def login_routes(
    hosted_login: HostedLogin, authorization: Authorization, limiter: RateLimiter, hosted: Hosted
) -> Blueprint:
    routes = Blueprint("login", __name__)

    @routes.get("/login")
    @page("Sign in")
    async def form() -> Response:
        visit = await hosted.visits.begin()
        if (elsewhere := await _elsewhere(visit)) is not None:
            return elsewhere
        return await _form(visit, notice=Notice.named(visit.query.get("notice")))

    @routes.post("/login")
    @page("Sign in with a password")
    async def sign_in() -> Response:
        visit = await hosted.visits.begin()
        hosted.visits.check_form(visit, own=False)
        email, password = visit.fields.get("email", ""), visit.fields.get("password", "")
        try:
            async with limiter.sign_in(current().address):
                _require_both(email, password)
                done = await hosted_login.sign_in(
                    email,
                    password,
                    visit.visitor,
                    remember=visit.fields.get("remember") == "true",
                    device=visit.device_token,
                )
        except (ValidationFailed, InvalidCredentials, TooManyAttempts, Unavailable) as refusal:
            return await _form(visit, email=email, refusal=refusal)
        hosted.visits.signed_in(visit, done)
        if visit.handle is None:
            return hosted.go(visit, "/account")
        await authorization.signed_in(visit.handle, visit.browser, done.session.id)
        return hosted.go(visit, CONTINUE, request=visit.handle)

    async def _elsewhere(visit: Visit) -> Response | None:
        """Where this page is not what is missing: who is signed in sees it only to sign in once more, or as another user."""
        if (visit.visitor is None and visit.handle is None) or visit.query.get("another") == "true":
            return None
        if visit.handle is None:
            return hosted.go(visit, "/account")
        outcome = await authorization.resume(visit.handle, visit.browser, visit.visitor)
        wanted = isinstance(outcome, Page) and outcome.step is Step.SIGN_IN
        return None if wanted else onward(hosted, visit, outcome)

    async def _form(visit: Visit, **values: Any) -> Response:
        pending = await authorization.pending(visit.handle, visit.browser) if visit.handle else None
        return hosted.show(
            visit,
            "login",
            **{
                "handle": visit.handle,
                "client": pending.client if pending else None,
                "email": _known_address(visit, pending),
                "remember": visit.fields.get("remember") == "true",
                "registration": True,
                "leads_to": pending.request.target.redirect_uri if pending else None,
                "ui_locales": pending.request.ui_locales if pending else None,
            }
            | values,
        )

    return routes


def _known_address(visit: Visit, pending: Pending | None) -> str:
    if pending is not None and pending.request.login_hint is not None:
        return pending.request.login_hint
    return visit.visitor.user.email if visit.visitor is not None and visit.query.get("another") != "true" else ""


def _require_both(email: str, password: str) -> None:
    """Raises `ValidationFailed`."""
    faults = [] if email else [FieldError("email", "Give the e-mail address of your account.")]
    faults += [] if password else [FieldError("password", "Give your password.")]
    if faults:
        raise ValidationFailed(faults)
