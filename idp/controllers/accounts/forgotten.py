"""`/forgot-password` and `/reset-password`."""

from __future__ import annotations

from quart import Blueprint, Response

from idp.controllers.http.exchange import current
from idp.controllers.pages.form_fields import checked
from idp.controllers.pages.hosted import Hosted, page
from idp.controllers.pages.visits import Visit
from idp.domain.errors import Refusal, Unavailable, ValidationFailed
from idp.domain.operation.limits import Category
from idp.services.accounts import account_rules
from idp.services.accounts.password_reset import PasswordReset
from idp.services.operation.rate_limiter import RateLimiter

ASKING = {"email": account_rules.email}
SETTING = {"password": account_rules.new_password}
# What the page calls the fields of the use case.
NAMES = {"newPassword": "password", "token": None}


def forgotten_routes(password_reset: PasswordReset, limiter: RateLimiter, hosted: Hosted) -> Blueprint:
    routes = Blueprint("forgotten", __name__)

    @routes.get("/forgot-password")
    @page("Ask for a link that resets the password")
    async def asking() -> Response:
        return _asking(await hosted.visits.begin())

    @routes.post("/forgot-password")
    @page("Have the link sent, if there is such an account")
    async def ask() -> Response:
        visit = await hosted.visits.begin()
        hosted.visits.check_form(visit, own=False)
        await limiter.take(Category.API, current().address)
        try:
            email = checked(visit.fields, ASKING)["email"]
        except ValidationFailed as refusal:
            return _asking(visit, refusal)
        await password_reset.request(email)
        return hosted.show(visit, "notice", kind="reset_mail_sent", email=email, next=None)

    @routes.get("/reset-password")
    @page("Follow the link of a mail, which changes nothing yet")
    async def setting() -> Response:
        visit = await hosted.visits.begin()
        if not visit.query.get("token"):
            return hosted.go(visit, "/forgot-password")
        return _setting(visit)

    @routes.post("/reset-password")
    @page("Set a password with the token of a mail; every session ends")
    async def reset() -> Response:
        visit = await hosted.visits.begin()
        hosted.visits.check_form(visit, own=False)
        await limiter.take(Category.API, current().address)
        try:
            password = checked(visit.fields, SETTING)["password"]
            await password_reset.reset(visit.fields.get("token", ""), password)
        except (ValidationFailed, Unavailable) as refusal:
            return _setting(visit, refusal)
        hosted.visits.signed_out(visit)
        return hosted.show(visit, "notice", kind="password_reset", email=None, next="/login")

    def _asking(visit: Visit, refusal: Refusal | None = None) -> Response:
        email = visit.fields.get("email", "")
        return hosted.show(visit, "forgot_password", handle=visit.handle, email=email, refusal=refusal)

    def _setting(visit: Visit, refusal: Refusal | None = None) -> Response:
        token = visit.fields.get("token") or visit.query.get("token", "")
        return hosted.show(visit, "reset_password", token=token, refusal=refusal, names=NAMES)

    return routes
