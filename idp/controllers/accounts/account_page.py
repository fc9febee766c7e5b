"""`/account` and `/account/delete`, and what all pages of the account share: they are for who is signed in."""

from __future__ import annotations

from typing import Any

from quart import Blueprint, Response

from idp.controllers.pages.form_fields import checked
from idp.controllers.pages.hosted import Hosted, page
from idp.controllers.pages.notices import Notice
from idp.controllers.pages.visits import Visit
from idp.domain.errors import (
    Conflict,
    FieldError,
    InvalidCredentials,
    Refusal,
    TooManyAttempts,
    Unavailable,
    ValidationFailed,
)
from idp.domain.operation.limits import Category
from idp.domain.sign_in.browser_sessions import Visitor
from idp.services.accounts.account_deletion import AccountDeletion
from idp.services.operation.rate_limiter import RateLimiter
from idp.services.sessions.own_sessions import OwnSessions
from idp.services.sign_in.hosted_login import HostedLogin
from idp.services.sign_in.own_applications import OwnApplications

WRONG_PASSWORD = ValidationFailed([FieldError("current_password", "This is not your password.")])


class SignedOut(Exception):
    """Nobody is signed in: the page is shown once somebody is."""

    def __init__(self, visit: Visit) -> None:
        super().__init__()
        self.visit = visit


class AccountPages:
    """*limiter*: a form of the account counts as a call of the API, per user."""

    def __init__(self, hosted: Hosted, limiter: RateLimiter) -> None:
        self.hosted = hosted
        self._limiter = limiter

    def blueprint(self, name: str) -> Blueprint:
        routes = Blueprint(name, __name__)
        routes.register_error_handler(SignedOut, self._to_sign_in)
        return routes

    async def begin(self) -> tuple[Visit, Visitor]:
        """Raises `SignedOut`."""
        visit = await self.hosted.visits.begin()
        if visit.visitor is None:
            raise SignedOut(visit)
        return visit, visit.visitor

    async def submitted(self) -> tuple[Visit, Visitor]:
        """The same for a form, which must be the signed-in user's own. Raises `SignedOut`, `Forbidden`, `RateLimited`."""
        visit, visitor = await self.begin()
        self.hosted.visits.check_form(visit, own=True)
        await self._limiter.take(Category.API, str(visitor.user.id))
        return visit, visitor

    def show(self, visit: Visit, visitor: Visitor, template: str, **values: Any) -> Response:
        given = {"notice": Notice.named(visit.query.get("notice")), "user": visitor.user}
        return self.hosted.show(visit, template, own=True, **given | values)

    def done(self, visit: Visit, path: str, notice: Notice) -> Response:
        return self.hosted.go(visit, path, notice=notice.name.lower())

    async def _to_sign_in(self, signed_out: SignedOut) -> Response:
        return self.hosted.go(signed_out.visit, "/login")


def with_password(refusal: Refusal) -> Refusal:
    """What a page says of a wrong current password: nobody there doubts the address."""
    return WRONG_PASSWORD if isinstance(refusal, InvalidCredentials) else refusal


def account_page_routes(
    pages: AccountPages,
    own_sessions: OwnSessions,
    applications: OwnApplications,
    deletion: AccountDeletion,
    hosted_login: HostedLogin,
) -> Blueprint:
    routes = pages.blueprint("account-pages")

    @routes.get("/account")
    @page("See one's account")
    async def overview() -> Response:
        visit, visitor = await pages.begin()
        user_id = visitor.user.id
        browsers = await hosted_login.browsers.list_of(user_id)
        return pages.show(
            visit,
            visitor,
            "account",
            sessions=len(browsers) + len(await own_sessions.list_of(user_id)),
            applications=len(await applications.list_of(user_id)),
        )

    @routes.get("/account/delete")
    @page("Be asked whether to delete the account")
    async def asking() -> Response:
        visit, visitor = await pages.begin()
        return pages.show(visit, visitor, "account_delete")

    @routes.post("/account/delete")
    @page("Delete the account")
    async def delete() -> Response:
        visit, visitor = await pages.submitted()
        try:
            checked(visit.fields, {"confirm": _confirmed})
            password = visit.fields.get("current_password", "")
            await deletion.delete(visitor.user.id, password, device=visit.device_token)
        except (ValidationFailed, InvalidCredentials, TooManyAttempts, Conflict, Unavailable) as refusal:
            return pages.show(visit, visitor, "account_delete", refusal=with_password(refusal))
        pages.hosted.visits.signed_out(visit)
        return pages.hosted.show(visit, "notice", kind="account_deleted", email=None, next=None)

    return routes


def _confirmed(text: str) -> str:
    if text != "true":
        raise ValueError("Confirm that the account is to be deleted.")
    return text
