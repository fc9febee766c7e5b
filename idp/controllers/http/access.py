"""
Who may call a route. Each route declares it, in words a test can read back: `@access.public`, `@guard.user`, `@guard.admin`.

Deny by default: a route without a declaration is refused when the application is put together.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any, NoReturn, TypeVar

from quart import g

from idp.controllers.http.exchange import Exchange, current
from idp.domain.accounts.users import Role
from idp.domain.audit.events import AccessDenied, Events, StaleRoleUsed, origin
from idp.domain.clients.clients import REST_CLIENT
from idp.domain.errors import Forbidden, InvalidToken
from idp.domain.operation.changes import RecentChanges
from idp.domain.operation.limits import Category
from idp.domain.sessions.sessions import Session, SessionState
from idp.domain.tokens import scopes
from idp.services.operation.rate_limiter import RateLimiter
from idp.services.tokens.access_tokens import AccessTokens, UserToken
from idp.services.tokens.own_interfaces import OwnInterfaces

View = TypeVar("View", bound=Callable[..., Awaitable[Any]])

LONGEST_PATH = 256
READING = frozenset({"GET", "HEAD", "OPTIONS"})


def public(view: View) -> View:
    view.access = "public"  # type: ignore[attr-defined]
    return view


def undeclared(views: Iterable[tuple[str, Callable[..., Any]]]) -> list[str]:
    """The names of those that declare no policy, or not what they take and give."""
    return [name for name, view in views if not (hasattr(view, "access") and hasattr(view, "operation"))]


class Guard:
    def __init__(
        self,
        access_tokens: AccessTokens,
        interfaces: OwnInterfaces,
        limiter: RateLimiter,
        events: Events,
        changes: RecentChanges,
    ) -> None:
        self._access_tokens = access_tokens
        self._interfaces = interfaces
        self._limiter = limiter
        self._events = events
        self._changes = changes

    def user(self, view: View) -> View:
        """
        A signed-in user, by bearer token (RFC 6750, section 2.1) of a client that may act for users here.

        The view finds its `SessionState` with `signed_in()`. Counted per user: a backend calls for all of its users from one
        address. Refused tokens count per address.
        """

        @functools.wraps(view)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                g.session_state = state = (await self._token(scopes.ACCOUNT)).state
            except InvalidToken:
                await self._limiter.take(Category.API, current().address)
                raise
            await self._limiter.take(Category.API, str(state.session.user_id))
            return await view(*args, **kwargs)

        guarded.access = "user"  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    def admin(self, view: View) -> View:
        """
        A user who is an administrator now, whatever the token says of the time when it was made.

        Limited per user, before the role is looked at: who tries again and again writes no more than that into the trail.
        """

        @functools.wraps(view)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            token = await self._token(scopes.ADMIN)
            g.session_state = state = token.state
            await self._limiter.take(Category.ADMIN, str(state.session.user_id))
            if Role.ADMIN not in state.roles:
                stale = Role.ADMIN in token.claimed_roles
                await self._deny(StaleRoleUsed if stale else AccessDenied, state.session)
            actor = str(state.session.user_id)
            origin.set(replace(origin.get(), actor=actor))
            if current().method not in READING:
                await self._changes.note(actor)
            return await view(*args, **kwargs)

        guarded.access = "admin"  # type: ignore[attr-defined]
        guarded.limit = Category.ADMIN  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    async def _token(self, scope: str) -> UserToken:
        """
        What is presented, if its client may use the interface of *scope*.

        A client that may not has a limit of its own for each user: it writes no more than that into the trail, and uses up
        nothing of what the user may do.
        """
        token = await self._access_tokens.bearer(bearer_token())
        if not await self._interfaces.open_to(token, scope):
            session = token.state.session
            await self._limiter.take(Category.ADMIN, f"{session.user_id} at {session.client_id}")
            await self._deny(
                AccessDenied, session, f"This takes a token of {REST_CLIENT.client_id}, or the scope {scope}."
            )
        return token

    async def _deny(
        self, kind: type[AccessDenied | StaleRoleUsed], session: Session, detail: str | None = None
    ) -> NoReturn:
        exchange = current()
        await self._events.record(
            kind(
                user_id=session.user_id,
                client_id=session.client_id,
                session_id=session.id,
                method=exchange.method,
                path=exchange.path[:LONGEST_PATH],
            )
        )
        raise Forbidden(detail)


def signed_in() -> SessionState:
    state: SessionState = g.session_state
    return state


def bearer_token() -> str:
    return bearer_of(current())


def bearer_of(exchange: Exchange) -> str:
    """Raises `InvalidToken` unless there is exactly one Authorization header and it is a bearer token's."""
    headers = exchange.headers.get(b"authorization", [])
    if len(headers) != 1:
        raise InvalidToken("Send one Authorization header with a bearer token.")
    scheme, _, token = headers[0].decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise InvalidToken("Send the access token as a bearer token.")
    return token.strip()
