"""`/account/password`, `/account/email`, `/account/sessions` and `/account/history`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from quart import Blueprint, Response

from idp.controllers.accounts.account_page import AccountPages, with_password
from idp.controllers.pages.form_fields import checked
from idp.controllers.pages.hosted import page
from idp.controllers.pages.notices import Notice
from idp.controllers.pages.visits import Visit
from idp.domain.audit.trail import RecordedEvent
from idp.domain.clients.clients import Clients
from idp.domain.errors import InvalidCredentials, NotFound, Refusal, TooManyAttempts, Unavailable, ValidationFailed
from idp.domain.sign_in.browser_sessions import BrowserSession, Visitor
from idp.domain.sign_in.user_agents import device_name
from idp.services.accounts import account_rules
from idp.services.accounts.email_change import EmailChange
from idp.services.accounts.password_change import PasswordChange
from idp.services.audit.sign_in_history import SignInHistory
from idp.services.operation.cursors import Cursors
from idp.services.sessions.own_sessions import OwnSessions, ShownSession
from idp.services.sign_in.hosted_login import HostedLogin

NEW_PASSWORD = {"new_password": account_rules.new_password}
NEW_EMAIL = {"email": account_rules.email}
# What the pages call the fields of the use cases.
NAMES = {"newPassword": "new_password", "newEmail": "email"}
REFUSALS = (ValidationFailed, InvalidCredentials, TooManyAttempts, Unavailable)


def credential_routes(pages: AccountPages, password_change: PasswordChange, email_change: EmailChange) -> Blueprint:
    routes = pages.blueprint("account-credentials")

    @routes.get("/account/password")
    @page("Be asked for another password")
    async def password_form() -> Response:
        visit, visitor = await pages.begin()
        return pages.show(visit, visitor, "account_password")

    @routes.post("/account/password")
    @page("Change the password; every other session ends")
    async def change_password() -> Response:
        visit, visitor = await pages.submitted()
        try:
            new = checked(visit.fields, NEW_PASSWORD)["new_password"]
            current = visit.fields.get("current_password", "")
            device = await password_change.change(
                visitor.user.id, visitor.session.id, current, new, device=visit.device_token
            )
        except REFUSALS as refusal:
            return pages.show(visit, visitor, "account_password", refusal=with_password(refusal), names=NAMES)
        pages.hosted.visits.known(visit, device)
        return pages.done(visit, "/account/password", Notice.PASSWORD_CHANGED)

    @routes.get("/account/email")
    @page("Be asked for another e-mail address")
    async def email_form() -> Response:
        visit, visitor = await pages.begin()
        return pages.show(visit, visitor, "account_email", email="")

    @routes.post("/account/email")
    @page("Have a mail sent to the new address")
    async def change_email() -> Response:
        visit, visitor = await pages.submitted()
        try:
            address = checked(visit.fields, NEW_EMAIL)["email"]
            current = visit.fields.get("current_password", "")
            await email_change.request(visitor.user.id, current, address, device=visit.device_token)
        except REFUSALS as refusal:
            email = visit.fields.get("email", "")
            return pages.show(visit, visitor, "account_email", email=email, refusal=with_password(refusal), names=NAMES)
        return pages.done(visit, "/account/email", Notice.CONFIRMATION_SENT)

    return routes


def session_page_routes(pages: AccountPages, hosted_login: HostedLogin, own_sessions: OwnSessions) -> Blueprint:
    routes = pages.blueprint("account-sessions")

    @routes.get("/account/sessions")
    @page("See where one is signed in")
    async def listing() -> Response:
        visit, visitor = await pages.begin()
        return await _listing(visit, visitor)

    @routes.post("/account/sessions")
    @page("Sign out elsewhere")
    async def end() -> Response:
        visit, visitor = await pages.submitted()
        user_id, fields = visitor.user.id, visit.fields
        if fields.get("others") == "true":
            await hosted_login.end_others(user_id, visitor.session.id)
            return pages.done(visit, "/account/sessions", Notice.OTHER_SESSIONS_ENDED)
        try:
            if (browser := _id(fields.get("browser"))) is not None:
                await hosted_login.end_own(user_id, browser)
            elif (session := _id(fields.get("session"))) is not None:
                await own_sessions.end(user_id, session)
        except NotFound:
            pass  # it has ended meanwhile, which is what was wanted; somebody else's is none of this list
        return pages.done(visit, "/account/sessions", Notice.SESSION_ENDED)

    async def _listing(visit: Visit, visitor: Visitor, refusal: Refusal | None = None) -> Response:
        browsers = await hosted_login.browsers.list_of(visitor.user.id)
        sessions = await own_sessions.list_of(visitor.user.id)
        return pages.show(
            visit,
            visitor,
            "account_sessions",
            browsers=[_browser(browser, visitor.session.id) for browser in browsers],
            sessions=[_session(session) for session in sessions],
            refusal=refusal,
        )

    return routes


def history_routes(pages: AccountPages, history: SignInHistory, clients: Clients, cursors: Cursors) -> Blueprint:
    routes = pages.blueprint("account-history")

    @routes.get("/account/history")
    @page("See what happened with the account")
    async def listing() -> Response:
        visit, visitor = await pages.begin()
        of = {"user": str(visitor.user.id)}
        place = cursors.read("history", of, visit.query.get("cursor"))
        found = await history.page(visitor.user.id, place)
        names = {
            client_id: client.name
            for client_id in {event.client_id for event in found.items if event.client_id}
            if (client := await clients.find(client_id)) is not None
        }
        following = cursors.write("history", of, found.following)
        return pages.show(
            visit,
            visitor,
            "account_history",
            events=[_event(event, names) for event in found.items],
            older=f"/account/history?{urlencode({'cursor': following})}" if following else None,
        )

    return routes


def _browser(browser: BrowserSession, current: UUID) -> Mapping[str, Any]:
    return {
        "id": browser.id,
        "device": device_name(browser.user_agent),
        "address": browser.address,
        "created_at": browser.auth_time,
        "last_used_at": browser.last_used_at,
        "current": browser.id == current,
    }


def _session(shown: ShownSession) -> Mapping[str, Any]:
    session = shown.session
    return {
        "id": session.id,
        "client_name": shown.client_name,
        "device": device_name(session.user_agent),
        "address": session.last_address or session.address,
        "created_at": session.created_at,
        "last_used_at": session.last_used_at or session.created_at,
    }


def _event(event: RecordedEvent, names: Mapping[str, str]) -> Mapping[str, Any]:
    client_name = names.get(event.client_id, event.client_id) if event.client_id else None
    device = event.detail.get("device")
    return {
        "at": event.at,
        "kind": event.name,
        "device": device if isinstance(device, str) else None,
        "address": event.address,
        "client_name": client_name,
    }


def _id(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
