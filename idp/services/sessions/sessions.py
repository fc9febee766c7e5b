"""
Sessions and their refresh tokens: started, refreshed, ended.

Postgres has the record and is written before any answer that ends something; Redis has the watermark. Every refresh reads
the record first and rotates second, so a revocation that Redis lost still holds, and an empty Redis loses nobody.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog

from idp.domain.accounts.users import User
from idp.domain.audit.events import origin
from idp.domain.clients.clients import Client
from idp.domain.errors import InvalidCredentials, InvalidToken, RateLimited, StoreUnavailable
from idp.domain.operation.limits import taken
from idp.domain.sessions.sessions import RevokedReason, Session, Sessions, SessionState
from idp.domain.tokens.refresh_tokens import (
    NONCE_SIZE,
    Families,
    Outcome,
    Place,
    RefreshToken,
    RefreshTokenFormat,
    Rotation,
)
from idp.services.sessions.checkpoints import Checkpoints
from idp.services.tokens.refresh_watch import INVALID, RefreshWatch

log = structlog.get_logger("idp.sessions")

LONGEST_USER_AGENT = 256
USERS_AT_ONCE = 100

# What a look at a family finds that may be exchanged: Redis may have lost the family, or its latest rotation.
LIVE = (Outcome.OK, Outcome.FORWARD, Outcome.MISSING)
ROTATED = (Outcome.OK, Outcome.REISSUE, Outcome.FORWARD, Outcome.REBUILT)


@dataclass(frozen=True, slots=True)
class Presented:
    """An authentic refresh token of a live session, and the present state of both session and user."""

    token: RefreshToken
    state: SessionState


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionService:
    sessions: Sessions
    families: Families
    tokens: RefreshTokenFormat
    checkpoints: Checkpoints
    watch: RefreshWatch
    lifetime: timedelta
    now: Callable[[], datetime] = field(repr=False)

    def new(
        self, user: User, client: Client, *, scope: str, audience: str | None, lifetime: timedelta | None = None
    ) -> Session:
        """A session that is not stored yet, so that its tokens can be made before anything is written."""
        now, where = self.now(), origin.get()
        return Session(
            id=uuid4(),
            family_id=uuid4(),
            user_id=user.id,
            client_id=client.client_id,
            scope=scope,
            audience=audience,
            auth_time=now,
            auth_epoch=user.auth_epoch,
            created_at=now,
            expires_at=now + (lifetime or self.lifetime),
            last_used_at=now,
            address=where.address,
            user_agent=printable_agent(where.user_agent),
        )

    async def start(self, session: Session, *, refreshable: bool, consented_at: datetime | None = None) -> str | None:
        """
        Store *session*; its first refresh token if it is to have any.

        Raises `InvalidCredentials` when the user was disabled or signed out everywhere since the password was checked, or
        has withdrawn the consent of *consented_at*; or when the session was ended before its first token was there, as by
        a second use of its code.
        """
        if not await self.sessions.add(session, consented_at):
            raise InvalidCredentials(reason="the account changed during sign-in")
        if not refreshable:
            return None
        first = await self.families.start(
            session.family_id, session.user_id, session.client_id, _nonce(), session.expires_at
        )
        if first is None:
            raise InvalidCredentials(reason="the session ended during sign-in")
        return self.tokens.write(first)

    async def present(self, text: str, client_id: str) -> Presented:
        """
        What *text* stands for. Reads only, unless the token is known to be used already: then its family ends.

        Raises `InvalidToken` for a token that is forged (no store is asked), of an ended session or of another client
        (its family stays alive), `StoreUnavailable` when that cannot be told.
        """
        token = self.tokens.read(text)
        if token is None:
            self.watch.refused(INVALID)
            raise InvalidToken(reason="not a refresh token of this server")
        state = await self.sessions.find_family(token.family_id)
        if state is None:
            self.watch.refused(Outcome.MISSING)
            raise InvalidToken(reason="unknown session")
        session = state.session
        if session.client_id != client_id:
            self.watch.refused(Outcome.CLIENT)
            self.watch.of_another_client(session, client_id)
            raise InvalidToken(reason="issued to another client")
        if over := state.over(self.now()):
            self.watch.over(over)
            raise InvalidToken(reason=over)
        if token.generation < session.gen_floor:
            self.watch.refused(Outcome.REUSE)
            await self._end_for_theft(session, RevokedReason.REUSE)
        return Presented(token, state)

    async def look(self, text: str) -> Presented | None:
        """
        What *text* stands for if it could be exchanged now, by whichever client; else None. Unlike `present` and `rotate`
        this is no use of the token: nothing ends, whatever it finds. Raises `StoreUnavailable` when it cannot be told.
        """
        token = self.tokens.read(text)
        state = await self.sessions.find_family(token.family_id) if token else None
        if token is None or state is None or state.over(self.now()) or token.generation < state.session.gen_floor:
            return None
        outcome = await self.families.look(token, state.session.user_id)
        return Presented(token, state) if outcome in LIVE else None

    async def rotate(self, presented: Presented) -> str:
        """
        The successor of *presented*: the one write of a refresh.

        Raises `InvalidToken` when the token was used before, and then the family has ended, durably, before this returns;
        `RateLimited` for one refresh too many of the user, decided in the same step: the token is still good;
        `StoreUnavailable` when it is unknown whether it was rotated: the client may ask again with the same token.
        """
        session = presented.state.session
        nonce, place = _nonce(), _place()
        rotation = await self.families.rotate(presented.token, session.user_id, session.client_id, nonce, place=place)
        self.watch.on_family(rotation.outcome is not Outcome.MISSING)
        if rotation.outcome is Outcome.MISSING:
            rotation = await self._rebuild(presented, nonce, place)
        if rotation.decision is not None:
            taken.get().decision = rotation.decision
        if rotation.successor is not None and rotation.outcome in ROTATED:
            if rotation.outcome in (Outcome.FORWARD, Outcome.REBUILT):
                log.warning("family_restored", outcome=rotation.outcome, session_id=str(session.id))
            self.checkpoints.note(session.family_id, rotation.successor.generation - 1)
            self.checkpoints.used(session, self.now())
            self.watch.rotated(session, rotation.outcome)
            return self.tokens.write(rotation.successor)
        return await self._refuse(session, rotation)

    async def end(self, text: str, client_id: str, reason: RevokedReason = RevokedReason.LOGOUT) -> bool:
        """
        Sign out with a refresh token; whether that ended a session. One that stands for nothing (any more) is no error: the end
        is reached.
        """
        token = self.tokens.read(text)
        state = await self.sessions.find_family(token.family_id) if token else None
        if state is None:
            return False
        if state.session.client_id == client_id:
            return await self.revoke(state.session, reason)
        self.watch.of_another_client(state.session, client_id)
        return False

    async def revoke(self, session: Session, reason: RevokedReason) -> bool:
        revoked = await self.sessions.revoke(session.id, reason)
        await self._entomb(session, reason)
        return revoked

    async def end_all(self, user_id: UUID, reason: RevokedReason = RevokedReason.LOGOUT_ALL) -> int:
        """Every session of the user; access tokens too, where this server is asked. How many sessions ended."""
        ended = await self.sessions.revoke_all(user_id, reason)
        await self.entomb(ended, reason)
        return len(ended)

    async def end_everybodys(self, reason: RevokedReason, on_ended: Callable[[int], None]) -> int:
        """
        Every session of every user, of clients and of browsers, that began before this call: some users at a time, each
        step whole. How many sessions of clients ended; *on_ended* is told so of each step. Raises `StoreUnavailable`:
        what had ended stays so.
        """
        began_before, after, total = self.now(), None, 0
        while step := await self.sessions.revoke_next(began_before, after, USERS_AT_ONCE, reason):
            await self.entomb(step.sessions, reason)
            after, total = step.last, total + len(step.sessions)
            on_ended(len(step.sessions))
        return total

    async def end_each(self, user_id: UUID, reason: RevokedReason) -> None:
        """Every live session of clients, each by itself: who is signed in on the hosted page stays so."""
        for session in await self.sessions.list_of(user_id):
            await self.revoke(session, reason)

    async def entomb(self, ended: Sequence[Session], reason: RevokedReason) -> None:
        """The families of sessions whose records have ended already."""
        for session in ended:
            await self._entomb(session, reason)

    async def _rebuild(self, presented: Presented, nonce: bytes, place: Place) -> Rotation:
        """Redis does not know the family. If the record still lives, it is remembered again from the token itself."""
        state = await self.sessions.find(presented.state.session.id)
        if state is None or (over := state.over(self.now())):
            self.watch.refused(Outcome.REVOKED)
            raise InvalidToken(reason="unknown session" if state is None else over)
        session = state.session
        if presented.token.generation < session.gen_floor:
            self.watch.refused(Outcome.REUSE)
            await self._end_for_theft(session, RevokedReason.REUSE)
        return await self.families.rotate(
            presented.token,
            session.user_id,
            session.client_id,
            nonce,
            place=place,
            rebuild_until=session.expires_at,
        )

    async def _refuse(self, session: Session, rotation: Rotation) -> str:
        self.watch.refused(rotation.outcome)
        if rotation.outcome is Outcome.LIMITED and rotation.decision is not None:
            raise RateLimited(rotation.decision.retry_after, reason="limit of refresh")
        if rotation.outcome in (Outcome.REUSE, Outcome.FORK):
            await self._end_for_theft(session, RevokedReason(rotation.outcome.lower()))
        if rotation.outcome is Outcome.REVOKED and rotation.reason in set(RevokedReason):
            await self._make_good(session, RevokedReason(rotation.reason))
        raise InvalidToken(reason=rotation.outcome)

    async def _make_good(self, session: Session, reason: RevokedReason) -> None:
        """Redis remembers an end that the record may lack, as after a crash between the two."""
        state = await self.sessions.find_family(session.family_id)
        if state is not None and state.over(self.now()) is None:
            await self.sessions.revoke(session.id, reason)

    async def _end_for_theft(self, session: Session, reason: RevokedReason) -> None:
        """Two parties hold the family. Durable before the answer; its event is written once, with the revocation."""
        await self.revoke(session, reason)
        raise InvalidToken(reason=reason)

    async def _entomb(self, session: Session, reason: RevokedReason) -> None:
        try:
            await self.families.end(session.family_id, session.user_id, reason, session.expires_at)
        except StoreUnavailable as fault:
            # The record is revoked, and every refresh reads it: the tombstone only saves work.
            log.warning("tombstone_not_written", reason=str(fault), session_id=str(session.id))


def printable_agent(user_agent: str | None) -> str | None:
    return "".join(filter(str.isprintable, (user_agent or "")[:LONGEST_USER_AGENT])) or None


def _nonce() -> bytes:
    return secrets.token_bytes(NONCE_SIZE)


def _place() -> Place:
    where = origin.get()
    return Place(where.address, where.user_agent)
