"""`GET /auth/sessions`, `DELETE /auth/sessions/{id}`."""

from __future__ import annotations

from uuid import UUID

from quart import Blueprint

from idp.controllers.accounts.rest_shapes import OwnBrowser, OwnSession, OwnSessionsAnswer
from idp.controllers.http.access import Guard, signed_in
from idp.controllers.http.limited import Limited
from idp.controllers.http.operation import operation
from idp.domain.errors import NotFound
from idp.domain.operation.limits import Category
from idp.services.sessions.own_sessions import OwnSessions
from idp.services.sign_in.hosted_login import HostedLogin


def own_session_routes(
    own_sessions: OwnSessions, hosted_login: HostedLogin, guard: Guard, limited: Limited
) -> Blueprint:
    routes = Blueprint("own_sessions", __name__)

    @routes.get("/auth/sessions")
    @limited(Category.API)
    @guard.user
    @operation("Where the user is signed in", gives=OwnSessionsAnswer)
    async def read() -> OwnSessionsAnswer:
        current = signed_in().session
        found = await own_sessions.list_of(current.user_id)
        browsers = await hosted_login.browsers.list_of(current.user_id)
        return OwnSessionsAnswer(
            sessions=[OwnSession.of(shown, current=current.id) for shown in found],
            browsers=[OwnBrowser.of(browser, current=current.browser_session_id) for browser in browsers],
        )

    @routes.delete("/auth/sessions/<uuid:session_id>")
    @limited(Category.API)
    @guard.user
    @operation("End one session, or that of a browser with all that hang on it", refuses=(NotFound,))
    async def end(session_id: UUID) -> None:
        user_id = signed_in().session.user_id
        try:
            await own_sessions.end(user_id, session_id)
        except NotFound:
            await hosted_login.end_own(user_id, session_id)

    return routes
