"""`POST /auth/login`, `/auth/refresh`, `/auth/logout`, `/auth/logout-all`."""

from __future__ import annotations

from typing import Any

from quart import Blueprint

from idp.controllers import access
from idp.controllers.access import Guard, signed_in
from idp.controllers.auth.shapes import Credentials, RefreshTokenBody, user_json
from idp.controllers.exchange import body
from idp.services.rest_sessions import RestSessions, Tokens


def session_routes(sessions: RestSessions, guard: Guard) -> Blueprint:
    routes = Blueprint("session", __name__)

    @routes.post("/auth/login")
    @access.public
    async def login() -> tuple[Any, int]:
        credentials = body(Credentials)
        user, tokens = await sessions.sign_in(credentials.email, credentials.password)
        return {**_tokens_json(tokens), "user": user_json(user)}, 200

    @routes.post("/auth/refresh")
    @access.public
    async def refresh() -> tuple[Any, int]:
        return _tokens_json(await sessions.refresh(body(RefreshTokenBody).refreshToken)), 200

    @routes.post("/auth/logout")
    @access.public
    async def logout() -> tuple[Any, int]:
        await sessions.sign_out(body(RefreshTokenBody).refreshToken)
        return "", 204

    @routes.post("/auth/logout-all")
    @guard.user
    async def logout_all() -> tuple[Any, int]:
        await sessions.sign_out_everywhere(signed_in().session.user_id)
        return "", 204

    return routes


def _tokens_json(tokens: Tokens) -> dict[str, Any]:
    return {
        "accessToken": tokens.access_token,
        "refreshToken": tokens.refresh_token,
        "tokenType": "Bearer",
        "expiresIn": tokens.expires_in,
    }
