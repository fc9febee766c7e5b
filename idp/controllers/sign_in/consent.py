"""`/consent`: whether a client may have what it asks for. What is allowed is what the stored request says, never a form."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from quart import Blueprint, Response

from idp.controllers.pages.hosted import Hosted, page
from idp.controllers.sign_in.authorize import onward, resumed
from idp.controllers.sign_in.client_answers import client_answer
from idp.domain.sign_in.authorization import Step
from idp.domain.sign_in.authorization_errors import RequestGone
from idp.services.sign_in.authorization import GONE, Authorization, Page


def consent_routes(authorization: Authorization, hosted: Hosted) -> Blueprint:
    routes = Blueprint("consent", __name__)

    @routes.get("/consent")
    @page("Be asked what a client may have")
    async def form() -> Response:
        visit = await hosted.visits.begin()
        if visit.handle is None:
            raise RequestGone(GONE)
        outcome = await authorization.resume(visit.handle, visit.browser, visit.visitor)
        if not isinstance(outcome, Page) or outcome.step is not Step.CONSENT or visit.visitor is None:
            return onward(hosted, visit, outcome)
        pending = await authorization.pending(visit.handle, visit.browser)
        redirect_uri = pending.request.target.redirect_uri
        return hosted.show(
            visit,
            "consent",
            own=True,
            handle=visit.handle,
            client=pending.client,
            scopes=pending.scopes,
            resource=pending.request.audience,
            shown=pending.shown,
            user=visit.visitor.user,
            destination=urlsplit(redirect_uri).netloc or None,
            switch_account=f"/login?{urlencode({'request': visit.handle, 'another': 'true'})}",
            images=[pending.client.logo_uri],
            leads_to=redirect_uri,
            ui_locales=pending.request.ui_locales,
        )

    @routes.post("/consent")
    @page("Allow or deny it")
    async def decide() -> Response:
        visit = await hosted.visits.begin()
        hosted.visits.check_form(visit, own=True)
        if visit.handle is None:
            raise RequestGone(GONE)
        if visit.fields.get("decision") == "deny":
            return client_answer(hosted, visit, await authorization.deny(visit.handle, visit.browser))
        if visit.visitor is not None and visit.fields.get("decision") == "allow":
            shown = visit.fields.get("shown")
            await authorization.allow(visit.handle, visit.browser, visit.visitor, shown)
        return await resumed(authorization, hosted, visit)

    return routes
