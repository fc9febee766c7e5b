"""`/admin/sessions`, and the sessions of one user."""

from __future__ import annotations

import dataclasses
from uuid import UUID

from quart import Blueprint

from idp.controllers.accounts.admin_user_shapes import AdminSession, AdminSessions, SessionListing
from idp.controllers.http.access import Guard
from idp.controllers.http.listing import Paging
from idp.controllers.http.operation import operation
from idp.domain.sessions.session_records import SessionFilter, SessionRecords
from idp.services.accounts.user_administration import UserAdministration
from idp.services.operation.cursors import Cursors

LISTING = "sessions"


def session_routes(sessions: SessionRecords, users: UserAdministration, cursors: Cursors, guard: Guard) -> Blueprint:
    routes = Blueprint("admin_sessions", __name__)

    async def page(wanted: SessionFilter, asked: Paging) -> AdminSessions:
        filters = dataclasses.asdict(wanted)
        found = await sessions.page(wanted, asked.limit, cursors.read(LISTING, filters, asked.cursor))
        return AdminSessions(
            sessions=[AdminSession.of(record) for record in found.items],
            next_cursor=cursors.write(LISTING, filters, found.following),
        )

    @routes.get("/admin/sessions")
    @guard.admin
    @operation("Live sessions, newest first", query=SessionListing, gives=AdminSessions)
    async def listed(asked: SessionListing) -> AdminSessions:
        return await page(asked.filter, asked)

    @routes.get("/admin/users/<uuid:user_id>/sessions")
    @guard.admin
    @operation("Live sessions of a user, newest first", query=Paging, gives=AdminSessions)
    async def listed_of(asked: Paging, user_id: UUID) -> AdminSessions:
        await users.find(str(user_id))
        return await page(SessionFilter(user_id=user_id), asked)

    @routes.delete("/admin/users/<uuid:user_id>/sessions")
    @guard.admin
    @operation("End every session of a user")
    async def end_all(user_id: UUID) -> None:
        await users.end_sessions(user_id)

    @routes.delete("/admin/users/<uuid:user_id>/sessions/<uuid:session_id>")
    @guard.admin
    @operation("End one session of a user")
    async def end(user_id: UUID, session_id: UUID) -> None:
        await users.end_session(user_id, session_id)

    return routes
