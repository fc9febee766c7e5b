"""`/register` and `/verify-email`. A known address gets the same page as a new one; what differs is the mail."""

from __future__ import annotations

from urllib.parse import urlencode

from quart import Blueprint, Response

from idp.controllers.http.exchange import current
from idp.controllers.pages.form_fields import checked
from idp.controllers.pages.hosted import Hosted, page
from idp.controllers.pages.notices import Notice
from idp.controllers.pages.visits import Visit
from idp.controllers.sign_in.authorize import CONTINUE
from idp.domain.accounts.accounts import Confirmation
from idp.domain.errors import Refusal, Unavailable, ValidationFailed
from idp.domain.operation.limits import Category
from idp.services.accounts import account_rules
from idp.services.accounts.email_verification import EmailVerification
from idp.services.accounts.registration import Registration
from idp.services.operation.rate_limiter import RateLimiter
from idp.services.sign_in.authorization import Authorization

RULES = {"name": account_rules.name, "email": account_rules.email, "password": account_rules.new_password}


def register_routes(
    registration: Registration, authorization: Authorization, limiter: RateLimiter, hosted: Hosted
) -> Blueprint:
    routes = Blueprint("register", __name__)

    @routes.get("/register")
    @page("Make an account")
    async def form() -> Response:
        return await _form(await hosted.visits.begin())

    @routes.post("/register")
    @page("Make an account with an address and a password")
    async def register() -> Response:
        visit = await hosted.visits.begin()
        hosted.visits.check_form(visit, own=False)
        await limiter.take(Category.REGISTER, current().address)
        try:
            given = checked(visit.fields, RULES)
            await registration.register(given["email"], given["password"], given["name"])
        except (ValidationFailed, Unavailable) as refusal:
            return await _form(visit, refusal)
        onward = _at("/login", visit)
        return hosted.show(visit, "notice", kind="verification_mail_sent", email=given["email"], next=onward)

    async def _form(visit: Visit, refusal: Refusal | None = None) -> Response:
        pending = await authorization.pending(visit.handle, visit.browser) if visit.handle else None
        return hosted.show(
            visit,
            "register",
            handle=visit.handle,
            client=pending.client if pending else None,
            name=visit.fields.get("name", ""),
            email=visit.fields.get("email", ""),
            ui_locales=pending.request.ui_locales if pending else None,
            refusal=refusal,
        )

    return routes


def verification_routes(verification: EmailVerification, limiter: RateLimiter, hosted: Hosted) -> Blueprint:
    routes = Blueprint("verification", __name__)

    @routes.get("/verify-email")
    @page("Follow the link of a mail, which changes nothing yet")
    async def form() -> Response:
        return _form(await hosted.visits.begin())

    @routes.post("/verify-email")
    @page("Confirm the address, or have the mail sent again")
    async def confirm() -> Response:
        visit = await hosted.visits.begin()
        hosted.visits.check_form(visit, own=False)
        await limiter.take(Category.API, str(visit.visitor.user.id) if visit.visitor else current().address)
        token = visit.fields.get("token")
        if token is None:
            return await _send_again(visit)
        try:
            outcome = await verification.confirm(token)
        except ValidationFailed as refusal:
            return _form(visit, refusal=refusal)
        kind = "address_changed" if outcome is Confirmation.CHANGED else "address_confirmed"
        return hosted.show(visit, "notice", kind=kind, email=None, next=_onward(visit))

    async def _send_again(visit: Visit) -> Response:
        if visit.visitor is None:
            return hosted.go(visit, "/login", request=visit.handle)
        if visit.visitor.user.email_verified:
            # By a link, not by a redirect: after a form, one that the client's callback makes may be stopped (`form-action`).
            return hosted.show(visit, "notice", kind="address_confirmed", email=None, next=_onward(visit))
        await verification.send(visit.visitor.user.id, visit.visitor.user.email)
        return _form(visit, notice=Notice.VERIFICATION_SENT)

    def _form(visit: Visit, *, notice: Notice | None = None, refusal: Refusal | None = None) -> Response:
        return hosted.show(
            visit,
            "verify_email",
            handle=visit.handle,
            token=visit.fields.get("token") or visit.query.get("token"),
            email=visit.visitor.user.email if visit.visitor is not None and "token" not in visit.query else None,
            notice=notice,
            refusal=refusal,
            names={"token": None},
        )

    return routes


def _at(path: str, visit: Visit) -> str:
    return f"{path}?{urlencode({'request': visit.handle})}" if visit.handle else path


def _onward(visit: Visit) -> str:
    if visit.handle is not None:
        return _at(CONTINUE, visit)
    return "/account" if visit.visitor is not None else "/login"
