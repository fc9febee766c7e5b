"""
`/oauth2/logout`, the end session endpoint, and `/logout`, where the user is asked.

A GET signs out only whom the browser's cookie and an ID token in the request name. Everything else takes the form of our page.
"""

from __future__ import annotations

from quart import Blueprint, Response

from idp.controllers.http.exchange import current
from idp.controllers.pages.hosted import Hosted, only_get, page
from idp.controllers.pages.visits import Visit, query_of
from idp.controllers.sign_in.authorize import size_kept
from idp.controllers.sign_in.client_answers import location
from idp.domain.operation.limits import Category
from idp.domain.sessions.logout import LogoutRequest
from idp.domain.sign_in.authorization import ResponseMode
from idp.services.operation.rate_limiter import RateLimiter
from idp.services.sessions.logout import Asked, Done, Logout

ENDPOINT = "/oauth2/logout"
PATH = "/logout"
NOT_SENT_BACK = "You will not be sent back to the application: its id_token_hint is no ID token of this server."


def logout_routes(logout: Logout, limiter: RateLimiter, hosted: Hosted) -> Blueprint:
    routes = Blueprint("logout", __name__)

    @routes.get(ENDPOINT)
    @page("Have a user signed out")
    async def by_query() -> Response:
        only_get()
        visit = await hosted.visits.begin()
        outcome = await logout.begin(query_of(current()), visit.browser, visit.visitor, current().address)
        if isinstance(outcome, Asked):
            return hosted.go(visit, PATH, request=outcome.handle)
        return signed_out(hosted, visit, outcome)

    @routes.post(ENDPOINT)
    @page("Have a user signed out, by a form of the client's page")
    async def by_form() -> Response:
        # As at the authorization endpoint: with the form of another site come no cookies, with the redirect that follows they do.
        visit = await hosted.visits.begin()
        await limiter.take(Category.AUTHORIZE, current().address, size_kept(current().form))
        handle = await logout.keep(current().form)
        visit.cookies.clear()
        return hosted.go(visit, PATH, request=handle)

    @routes.get(PATH)
    @page("Be asked whether to sign out")
    async def ask() -> Response:
        only_get()
        visit = await hosted.visits.begin()
        if visit.handle:
            outcome = await logout.resume(visit.handle, visit.browser, visit.visitor)
        else:
            outcome = Asked("", LogoutRequest()) if visit.visitor is not None else Done(LogoutRequest())
        return question(hosted, visit, outcome) if isinstance(outcome, Asked) else signed_out(hosted, visit, outcome)

    @routes.post(PATH)
    @page("Sign out, or stay signed in")
    async def decide() -> Response:
        visit = await hosted.visits.begin()
        hosted.visits.check_form(visit, own=True)
        if visit.fields.get("decision") == "stay":
            await logout.forget(visit.handle, visit.browser)
            return hosted.go(visit, "/account")
        return signed_out(hosted, visit, await logout.confirm(visit.handle, visit.browser, visit.visitor))

    return routes


def question(hosted: Hosted, visit: Visit, asked: Asked) -> Response:
    request = asked.request
    return hosted.show(
        visit,
        "sign_out",
        own=True,
        handle=asked.handle or None,
        action=PATH,
        client={"name": request.client_name} if request.client_name is not None else None,
        user=visit.visitor.user if visit.visitor is not None else None,
        notice=NOT_SENT_BACK if request.way_back_lost else None,
        leads_to=request.redirect_uri,
        ui_locales=request.ui_locales,
    )


def signed_out(hosted: Hosted, visit: Visit, done: Done) -> Response:
    """By 303 to the client, with `state` as it was given and nothing else (RP-Initiated Logout 1.0, section 3)."""
    request = done.request
    hosted.visits.signed_out(visit)
    if request.redirect_uri is None:
        return hosted.show(visit, "signed_out", client=None, return_to=None, ui_locales=request.ui_locales)
    if request.state is None:
        return hosted.leave(visit, request.redirect_uri)
    return hosted.leave(visit, location(request.redirect_uri, {"state": request.state}, ResponseMode.QUERY))
