"""
Who may call a route. Each route declares it, in words a test can read back: `@access.public`, `@guard.user`.

Deny by default: a route without a declaration is refused when the application is put together.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from quart import g

from idp.controllers.exchange import current
from idp.domain.errors import InvalidToken
from idp.domain.sessions import SessionState
from idp.services.access_tokens import AccessTokens

View = TypeVar("View", bound=Callable[..., Awaitable[Any]])


def public(view: View) -> View:
    view.access = "public"  # type: ignore[attr-defined]
    return view


def undeclared(views: Iterable[tuple[str, Callable[..., Any]]]) -> list[str]:
    """The names of those that declare no policy."""
    return [name for name, view in views if not hasattr(view, "access")]


class Guard:
    def __init__(self, access_tokens: AccessTokens) -> None:
        self._access_tokens = access_tokens

    def user(self, view: View) -> View:
        """A signed-in user, by bearer token (RFC 6750, section 2.1). The view finds its `SessionState` with `signed_in()`."""

        @functools.wraps(view)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            g.session_state = await self._access_tokens.bearer(bearer_token())
            return await view(*args, **kwargs)

        guarded.access = "user"  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]


def signed_in() -> SessionState:
    state: SessionState = g.session_state
    return state


def bearer_token() -> str:
    """Raises `InvalidToken` unless there is exactly one Authorization header and it is a bearer token's."""
    headers = current().headers.get(b"authorization", [])
    if len(headers) != 1:
        raise InvalidToken("Send one Authorization header with a bearer token.")
    scheme, _, token = headers[0].decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise InvalidToken("Send the access token as a bearer token.")
    return token.strip()
