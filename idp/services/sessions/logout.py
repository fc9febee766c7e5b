"""
Signing out on the hosted pages, at a client's wish (OpenID Connect RP-Initiated Logout 1.0) or at the user's own.

Who is signed in is signed out at once when the request has an ID token of that user, and is asked otherwise. When nobody is,
whoever sits there is asked too while the session that the ID token names is alive; with it ends the sign-in on the hosted page
that it hangs on: a browser that has lost its cookie leaves no session behind for the next one who uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from idp.domain.errors import StoreUnavailable
from idp.domain.operation.limits import Category
from idp.domain.sessions.logout import LogoutRequest, LogoutRequests
from idp.domain.sessions.sessions import RevokedReason, Session, Sessions
from idp.domain.sign_in.authorization_errors import RequestGone
from idp.domain.sign_in.browser_sessions import Visitor, digest_of, new_token
from idp.services.operation.rate_limiter import RateLimiter
from idp.services.sessions.logout_request import LogoutRequestReader
from idp.services.sessions.sessions import SessionService
from idp.services.sign_in.authorization_request import encoded_size
from idp.services.sign_in.hosted_login import HostedLogin

GONE = (
    "This request to sign out has expired, or was begun in another browser. Go back to the application and try again."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The user has to be asked, on the page of the request with that *handle*."""

    handle: str
    request: LogoutRequest


@dataclass(frozen=True, slots=True)
class Done:
    """Nobody is signed in any more. The browser goes on as *request* says."""

    request: LogoutRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Logout:
    """*browser* is the digest of the cookie that tells browsers apart: a handle that leaks is of no use in another one."""

    reader: LogoutRequestReader
    requests: LogoutRequests
    records: Sessions
    sessions: SessionService
    hosted_login: HostedLogin
    limiter: RateLimiter
    now: Callable[[], datetime]

    async def begin(
        self, fields: Sequence[tuple[str, str]], browser: str, visitor: Visitor | None, address: str
    ) -> Asked | Done:
        """
        *address*: of the network, whose budget a stored request uses up where nobody is signed in. Raises `LocalError`; then
        nobody was signed out.
        """
        request = replace(await self.reader.read(fields), browser=browser)
        if await self._must_ask(request, visitor):
            payer = str(visitor.user.id) if visitor is not None else address
            await self.limiter.take(Category.AUTHORIZE, payer, encoded_size(fields))
            return Asked(await self._store(request), request)
        return await self._proven(request, visitor)

    async def keep(self, fields: Sequence[tuple[str, str]]) -> str:
        """
        The handle of a request that came by POST from the client's page: with it the browser sends none of our cookies.

        Stored, to be bound to the browser that follows the redirect to `resume`. Raises `LocalError`.
        """
        return await self._store(await self.reader.read(fields))

    async def resume(self, handle: str, browser: str, visitor: Visitor | None) -> Asked | Done:
        """Raises `LocalError` for a handle that stands for nothing in this browser."""
        request = await self.requests.find(digest_of(handle))
        if request is None or request.browser not in (None, browser):
            raise RequestGone(GONE)
        if await self._must_ask(request, visitor):
            if request.browser is None:
                request = replace(request, browser=browser)
                await self.requests.put(digest_of(handle), request)
            return Asked(handle, request)
        done = await self._proven(request, visitor)
        # Whoever comes back to this address later, signed in again, is not to be signed out by it.
        await self.requests.remove(digest_of(handle))
        return done

    async def confirm(self, handle: str | None, browser: str, visitor: Visitor | None) -> Done:
        """The user wants it, whatever has become of the request: without it the way back to the client is lost."""
        if visitor is not None:
            await self.hosted_login.sign_out(visitor.session.id)
        try:
            request = await self.forget(handle, browser)
        except StoreUnavailable:
            request = None
        # The session of another user than the one who is signed in here is not the latter's to end.
        if request is not None and (visitor is None or request.names(visitor)):
            await self._end_named(request)
        return await self._done(request or LogoutRequest())

    async def forget(self, handle: str | None, browser: str) -> LogoutRequest | None:
        """The request that was waiting in this browser, and waits no more."""
        request = await self.requests.find(digest_of(handle)) if handle else None
        if handle is None or request is None or request.browser != browser:
            return None
        await self.requests.remove(digest_of(handle))
        return request

    async def _must_ask(self, request: LogoutRequest, visitor: Visitor | None) -> bool:
        """Something would end, and nothing in the browser proves that its user wants that."""
        if visitor is not None:
            return not request.names(visitor)
        return await self._named(request) is not None

    async def _proven(self, request: LogoutRequest, visitor: Visitor | None) -> Done:
        if visitor is not None:
            await self.hosted_login.sign_out(visitor.session.id)
            await self._end_named(request)
        return await self._done(request)

    async def _named(self, request: LogoutRequest) -> Session | None:
        """The session that the ID token names, and only while that is a live session of its user."""
        state = await self.records.find(request.session_id) if request.session_id else None
        if state is None or state.over(self.now()) is not None or str(state.session.user_id) != request.subject:
            return None
        return state.session

    async def _end_named(self, request: LogoutRequest) -> None:
        session = await self._named(request)
        if session is None:
            return
        if session.browser_session_id is not None:
            await self.hosted_login.sign_out(session.browser_session_id)
        # It outlives a sign-in that ended because another user signed in.
        await self.sessions.revoke(session, RevokedReason.LOGOUT)

    async def _done(self, request: LogoutRequest) -> Done:
        leads_there = request.redirect_uri is None or await self.reader.leads_there(request)
        return Done(request if leads_there else replace(request, redirect_uri=None))

    async def _store(self, request: LogoutRequest) -> str:
        handle = new_token()
        await self.requests.put(digest_of(handle), request)
        return handle
