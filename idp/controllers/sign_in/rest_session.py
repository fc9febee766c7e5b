"""`POST /auth/login`, `/auth/refresh`, `/auth/logout`, `/auth/logout-all`."""

from __future__ import annotations

from collections.abc import Mapping

from quart import Blueprint

from idp.controllers.accounts.rest_shapes import Credentials, OwnUser, Refreshed, RefreshTokenBody, SignedIn
from idp.controllers.http import access
from idp.controllers.http.access import Guard, signed_in
from idp.controllers.http.exchange import current
from idp.controllers.http.limited import Limited
from idp.controllers.http.operation import operation
from idp.controllers.sign_in.devices import HEADER_NAME, DeviceTokens
from idp.domain.errors import (
    EmailNotVerified,
    InvalidCredentials,
    InvalidToken,
    PasswordsBusy,
    RateLimited,
    TooManyAttempts,
)
from idp.domain.operation.limits import Category
from idp.services.sign_in.rest_sessions import RestSessions


def session_routes(sessions: RestSessions, guard: Guard, limited: Limited, devices: DeviceTokens) -> Blueprint:
    routes = Blueprint("session", __name__)

    @routes.post("/auth/login")
    @limited(Category.LOGIN)
    @access.public
    @operation(
        "Sign in with a password",
        takes=Credentials,
        gives=SignedIn,
        refuses=(InvalidCredentials, EmailNotVerified, TooManyAttempts, PasswordsBusy),
        reads=(HEADER_NAME,),
        headers=(HEADER_NAME, "Set-Cookie"),
    )
    async def login(credentials: Credentials) -> tuple[SignedIn, Mapping[str, str]]:
        done = await sessions.sign_in(
            credentials.email,
            credentials.password,
            resource=credentials.resource,
            device=devices.presented(current()),
        )
        answer = SignedIn(**Refreshed.of(done.tokens).model_dump(), user=OwnUser.of(done.user))
        return answer, devices.headers(done.device)

    @routes.post("/auth/refresh")
    @access.public
    @operation(
        "Exchange a refresh token",
        takes=RefreshTokenBody,
        gives=Refreshed,
        refuses=(InvalidToken, EmailNotVerified, RateLimited),
    )
    async def refresh(given: RefreshTokenBody) -> Refreshed:
        return Refreshed.of(await sessions.refresh(given.refresh_token))

    @routes.post("/auth/logout")
    @limited.where_counted(Category.API)
    @access.public
    @operation("End the session of a refresh token", takes=RefreshTokenBody)
    async def logout(given: RefreshTokenBody) -> None:
        if not await sessions.sign_out(given.refresh_token):
            await limited.count(Category.API)

    @routes.post("/auth/logout-all")
    @limited(Category.API)
    @guard.user
    @operation("End every session of the user")
    async def logout_all() -> None:
        await sessions.sign_out_everywhere(signed_in().session.user_id)

    return routes
