"""`/oauth2/authorize`, and `/continue`, over which every page of a sign-in leads back to it."""

from __future__ import annotations

from collections.abc import Sequence

from quart import Blueprint, Response

from idp.controllers.http.exchange import current
from idp.controllers.pages.hosted import Hosted, only_get, page
from idp.controllers.pages.visits import Visit, query_of
from idp.controllers.sign_in.client_answers import client_answer
from idp.domain.operation.limits import Category
from idp.domain.sign_in.authorization import MOST_BYTES, Step
from idp.services.operation.rate_limiter import RateLimiter
from idp.services.sign_in.authorization import Authorization, Outcome, Page
from idp.services.sign_in.authorization_request import encoded_size

CONTINUE = "/continue"
# The page of each step.
PATHS = {
    Step.SIGN_IN: "/login",
    Step.SELECT_ACCOUNT: "/select-account",
    Step.VERIFY: "/verify-email",
    Step.CONSENT: "/consent",
}


def authorize_routes(authorization: Authorization, limiter: RateLimiter, hosted: Hosted) -> Blueprint:
    routes = Blueprint("authorize", __name__)

    @routes.get("/oauth2/authorize")
    @page("Ask a user for authorization")
    async def by_query() -> Response:
        only_get()
        visit = await hosted.visits.begin()
        given = query_of(current())
        if visit.visitor is None:
            await limiter.take(Category.AUTHORIZE, current().address, size_kept(given))
        outcome = await authorization.begin(given, visit.browser, visit.visitor)
        return onward(hosted, visit, outcome)

    @routes.post("/oauth2/authorize")
    @page("Ask a user for authorization, by a form of the client's page")
    async def by_form() -> Response:
        # The browser sends no cookies of ours with the form of another site. With the redirect that follows it sends them.
        visit = await hosted.visits.begin()
        await limiter.take(Category.AUTHORIZE, current().address, size_kept(current().form))
        outcome = await authorization.keep(current().form)
        if isinstance(outcome, Page):
            return hosted.go(visit, CONTINUE, request=outcome.handle)
        return client_answer(hosted, visit, outcome)

    @routes.get(CONTINUE)
    @page("Go on with a sign-in")
    async def go_on() -> Response:
        only_get()
        return await resumed(authorization, hosted, await hosted.visits.begin())

    return routes


def size_kept(fields: Sequence[tuple[str, str]]) -> int:
    """Bytes that a request with these parameters makes the store keep, at most: of a larger one nothing is kept."""
    return min(encoded_size(fields), MOST_BYTES)


async def resumed(authorization: Authorization, hosted: Hosted, visit: Visit) -> Response:
    """After a step: the next page, the client's answer, or the account of who signed in for no client."""
    if visit.handle is None:
        return hosted.go(visit, "/account")
    return onward(hosted, visit, await authorization.resume(visit.handle, visit.browser, visit.visitor))


def onward(hosted: Hosted, visit: Visit, outcome: Outcome) -> Response:
    if isinstance(outcome, Page):
        return hosted.go(visit, PATHS[outcome.step], request=outcome.handle)
    return client_answer(hosted, visit, outcome)
