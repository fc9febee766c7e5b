"""`/select-account`: whether to go on as who is signed in (`prompt=select_account`)."""

from __future__ import annotations

from quart import Blueprint, Response

from idp.controllers.pages.hosted import Hosted, page
from idp.controllers.sign_in.authorize import resumed
from idp.services.sign_in.authorization import Authorization


def select_account_routes(authorization: Authorization, hosted: Hosted) -> Blueprint:
    routes = Blueprint("select-account", __name__)

    @routes.get("/select-account")
    @page("Choose an account")
    async def choice() -> Response:
        visit = await hosted.visits.begin()
        if visit.visitor is None or visit.handle is None:
            return hosted.go(visit, "/login", request=visit.handle)
        pending = await authorization.pending(visit.handle, visit.browser)
        return hosted.show(
            visit,
            "select_account",
            own=True,
            handle=visit.handle,
            action="/select-account",
            client=pending.client,
            user=visit.visitor.user,
            leads_to=pending.request.target.redirect_uri,
            ui_locales=pending.request.ui_locales,
        )

    @routes.post("/select-account")
    @page("Go on as who is signed in, or as somebody else")
    async def choose() -> Response:
        visit = await hosted.visits.begin()
        hosted.visits.check_form(visit, own=True)
        if visit.visitor is None or visit.handle is None or visit.fields.get("choice") != "continue":
            return hosted.go(visit, "/login", request=visit.handle, another="true")
        await authorization.account_chosen(visit.handle, visit.browser, visit.visitor.session.id)
        return await resumed(authorization, hosted, visit)

    return routes
