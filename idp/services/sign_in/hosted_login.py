"""Signing in and out on the hosted page: one more door into `Login`, with a browser session behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from idp.domain.accounts.users import User
from idp.domain.audit.events import origin
from idp.domain.errors import InvalidCredentials, NotFound
from idp.domain.sessions.sessions import RevokedReason
from idp.domain.sign_in.browser_sessions import (
    PASSWORD_AMR,
    BrowserSession,
    BrowserSessions,
    EndedReason,
    Visitor,
    digest_of,
    new_token,
)
from idp.services.sessions.sessions import SessionService, printable_agent
from idp.services.sign_in.devices import Device
from idp.services.sign_in.login import Login


@dataclass(frozen=True, slots=True)
class BrowserSignIn:
    """*token* is for the cookie. *lasts* None: as long as the browser's window."""

    session: BrowserSession
    token: str
    lasts: timedelta | None
    device: Device


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedLogin:
    """*lifetime* of a browser session, *remembered* of one that is to outlive the window; *idle*: unused for that long it ends."""

    login: Login
    browsers: BrowserSessions
    sessions: SessionService
    lifetime: timedelta
    remembered: timedelta
    idle: timedelta
    now: Callable[[], datetime]

    async def visitor(self, token: str | None) -> Visitor | None:
        """Who is signed in in the browser that holds *token*."""
        return await self.browsers.find(digest_of(token), self.idle) if token else None

    async def sign_in(
        self, address: str, password: str, present: Visitor | None, *, remember: bool, device: str | None = None
    ) -> BrowserSignIn:
        """
        Always with a new token: one that was planted before, or leaked, is worth nothing after (session fixation).

        The same user as before goes on with the same browser session, and with what hangs on it; another one gets another,
        and the old one ends. Raises as `Login.authenticate`.
        """
        user = await self.login.authenticate(address, password, device=device)
        token = new_token()
        session = await self._session(user, present, digest_of(token), remember=remember)
        lasts = session.expires_at - self.now() if session.remembered else None
        return BrowserSignIn(session, token, lasts, self.login.remember(user, device))

    async def sign_out(self, session_id: UUID, reason: EndedReason = EndedReason.SIGNED_OUT) -> None:
        """With the sessions of all clients that hang on it, durably before this returns."""
        ended = await self.browsers.end(session_id, reason)
        await self.sessions.entomb(ended, RevokedReason.LOGOUT)

    async def end_own(self, user_id: UUID, session_id: UUID) -> None:
        """Another browser of the same user. Raises `NotFound`, for somebody else's too."""
        if session_id not in {session.id for session in await self.browsers.list_of(user_id)}:
            raise NotFound
        await self.sign_out(session_id, EndedReason.ENDED_BY_USER)

    async def end_others(self, user_id: UUID, kept: UUID) -> None:
        """
        Every session of the user but that of this browser: those of clients in it, and those that began elsewhere, end too.

        One after the other: what a failure in between leaves is still on the list, and can be ended again.
        """
        for browser in await self.browsers.list_of(user_id):
            if browser.id != kept:
                await self.sign_out(browser.id, EndedReason.ENDED_BY_USER)
        await self.sessions.end_each(user_id, RevokedReason.ENDED_BY_USER)

    async def _session(self, user: User, present: Visitor | None, digest: str, *, remember: bool) -> BrowserSession:
        new = self._new(user, remember=remember)
        if present is not None and present.user.id == user.id:
            renewed = replace(new, id=present.session.id, created_at=present.session.created_at)
            if await self.browsers.renew(renewed, digest):
                return renewed
        if not await self.browsers.start(new, digest):
            raise InvalidCredentials(reason="the account changed during sign-in")
        if present is not None and present.user.id != user.id:
            await self.browsers.end(present.session.id, EndedReason.ANOTHER_USER, clients=False)
        return new

    def _new(self, user: User, *, remember: bool) -> BrowserSession:
        now, where = self.now(), origin.get()
        return BrowserSession(
            id=uuid4(),
            user_id=user.id,
            auth_time=now,
            auth_epoch=user.auth_epoch,
            amr=PASSWORD_AMR,
            remembered=remember,
            created_at=now,
            expires_at=now + (self.remembered if remember else self.lifetime),
            last_used_at=now,
            address=where.address,
            user_agent=printable_agent(where.user_agent),
        )
