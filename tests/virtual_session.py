"""A session that lives by a clock of its own: the real service and the real scripts, over a record kept in memory."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import redis.asyncio
from family import HOME, families_in

from idp.database.redis import RedisStore
from idp.database.scripts import Script
from idp.domain.accounts.users import Role, UserStatus
from idp.domain.audit.events import Origin, TokensRefreshed, origin
from idp.domain.errors import InvalidToken
from idp.domain.sessions.sessions import RevokedReason, Session, SessionState
from idp.domain.tokens.refresh_tokens import Place, RefreshTokenFormat
from idp.repositories.tokens.families import family_key
from idp.services.audit.counted_events import CountedEvents
from idp.services.sessions.checkpoints import Checkpoints
from idp.services.sessions.sessions import SessionService
from idp.services.tokens.refresh_watch import RefreshWatch

FORMAT = RefreshTokenFormat([b"a key for tests that is long enough"])
SERVER_CLOCK = "local time = redis.call('TIME')"
OWN_CLOCK = """local ms = tonumber(redis.call('GET', 'clock:' .. key))
local time = {math.floor(ms / 1000), ms % 1000 * 1000}"""


def with_own_clock(script: Script, sha1: Any) -> Script:
    assert script.source.count(SERVER_CLOCK) == 1
    source = script.source.replace(SERVER_CLOCK, OWN_CLOCK)
    return Script(source, sha1(source.encode()).hexdigest())


@dataclass
class Record:
    """The part of `Sessions` that a refresh needs, for one session that no fault can touch, as Postgres promises."""

    session: Session

    async def find_family(self, family_id: UUID) -> SessionState:
        assert family_id == self.session.family_id
        return SessionState(
            session=self.session,
            email="",
            email_verified=True,
            name="",
            roles=(Role.USER,),
            status=UserStatus.ACTIVE,
            auth_epoch=0,
        )

    async def find(self, session_id: UUID) -> SessionState:
        assert session_id == self.session.id
        return await self.find_family(self.session.family_id)

    async def revoke(self, session_id: UUID, reason: RevokedReason) -> bool:
        assert session_id == self.session.id
        if self.session.revoked_at is None:
            self.session = dataclasses.replace(self.session, revoked_at=datetime.now(UTC), revoked_reason=reason)
        return True

    async def note_uses(self, uses: object) -> None:
        """When a session was used is of no matter here."""

    async def raise_floors(self, floors: Mapping[UUID, int]) -> None:
        floor = max(self.session.gen_floor, *floors.values())
        self.session = dataclasses.replace(self.session, gen_floor=floor)


@dataclass
class VirtualSession:
    """*chance* decides about faults; *now* is in milliseconds."""

    store: RedisStore
    cache: redis.asyncio.Redis
    chance: Random
    now: int = field(default_factory=lambda: int(datetime.now(UTC).timestamp() * 1000))
    timelines: list[tuple[int, bytes | None]] = field(default_factory=list)

    async def begin(self) -> str:
        start = datetime.fromtimestamp(self.now / 1000, UTC)
        session = Session(
            id=uuid4(),
            family_id=uuid4(),
            user_id=uuid4(),
            client_id="app",
            scope="openid",
            audience=None,
            auth_time=start,
            auth_epoch=0,
            created_at=start,
            expires_at=start + timedelta(days=365),
        )
        self.record = Record(session)
        self.key = family_key(session.family_id, session.user_id)
        sessions: Any = self.record
        self.checkpoints = Checkpoints(sessions)
        self.families = families_in(self.store)
        refreshes = CountedEvents(TokensRefreshed, sessions, now=lambda: start, interval=3600, most=10)
        self.service = SessionService(
            sessions=sessions,
            families=self.families,
            tokens=FORMAT,
            checkpoints=self.checkpoints,
            watch=RefreshWatch(refreshes, refreshes, lambda _outcome: None, lambda _known: None),
            lifetime=timedelta(days=365),
            now=lambda: datetime.fromtimestamp(self.now / 1000, UTC),
        )
        await self.passes(0)
        first = await self.families.start(
            session.family_id, session.user_id, "app", secrets.token_bytes(16), session.expires_at
        )
        await self._remember()
        assert first is not None
        return FORMAT.write(first)

    @property
    def ended_for(self) -> str | None:
        return self.record.session.revoked_reason

    async def passes(self, ms: int) -> None:
        self.now += ms
        await self.cache.set(b"clock:" + self.key, self.now)

    async def refresh(self, token: str, place: Place = HOME) -> str | None:
        """The successor, or None for a refusal."""
        origin.set(Origin(address=place.address, user_agent=place.user_agent))
        try:
            successor = await self.service.rotate(await self.service.present(token, "app"))
        except InvalidToken:
            successor = None
        await self._remember()
        if self.chance.random() < 0.2:
            await self.checkpoints.write()
        return successor

    async def _remember(self) -> None:
        self.timelines = [*self.timelines[-50:], (self.now, await self.cache.dump(self.key))]

    async def loses(self, rollback: float, flush: float) -> None:
        """With these chances the store is as it was up to a second ago, or empty."""
        fate = self.chance.random()
        if fate < rollback:
            recent = [place for place, (at, _) in enumerate(self.timelines) if at >= self.now - 1000]
            place = self.chance.choice(recent) if recent else len(self.timelines) - 1
            self.timelines = self.timelines[: place + 1]
            await self._becomes(self.timelines[place][1])
        elif fate < rollback + flush:
            self.timelines = [(self.now, None)]
            await self._becomes(None)

    async def _becomes(self, snapshot: bytes | None) -> None:
        if snapshot is None:
            await self.cache.delete(self.key)
        else:
            await self.cache.restore(self.key, 0, snapshot, replace=True)
