"""Whether the audit trail is as it was written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import date

from idp.domain.audit.trail import AuditTrail, Closing, ExaminedDay, Fault, Walk


@dataclass(frozen=True, slots=True)
class AuditVerification:
    trail: AuditTrail

    async def days(self, kept: Mapping[date, bytes]) -> AsyncIterator[ExaminedDay]:
        """
        Every day, the oldest first; the server may go on writing meanwhile. *kept*: digests of days, kept elsewhere.

        A digest of *kept* may be of any moment of its day. A day that has been pruned for its age is left out; any other
        that somebody has heard of and that is not there is a fault.
        """
        told = await self.trail.closings()
        present = await self.trail.days()
        for day in sorted({*present, *told, *kept}):
            if day not in present:
                if not _pruned(told.get(day)):
                    yield _missing(day)
            elif (examined := await self._day(day, told.get(day), kept.get(day))) is not None:
                yield examined

    async def newest(self) -> ExaminedDay | None:
        """The last day alone; None when there is none."""
        present = await self.trail.days()
        return await self._day(present[-1], None, None) if present else None

    async def _day(self, day: date, told: Closing | None, kept: bytes | None) -> ExaminedDay | None:
        """None when it has been pruned meanwhile."""
        walk, head = Walk.from_start(day, (told.digest if told else None, kept)), await self.trail.head(day)
        if head is None:
            walk.broken(Fault.NO_HEAD)
            return walk.examined if await self.trail.last_place(day) else None
        async for link in self.trail.links(day, head.seq):
            walk.follow(link)
        walk.finish(head)
        return await self._settled(walk)

    async def _settled(self, walk: Walk) -> ExaminedDay | None:
        # Rows are looked at before the head: whoever writes one meanwhile has moved the head with it.
        last = await self.trail.last_place(walk.day)
        head = await self.trail.head(walk.day)
        if head is None:
            if _pruned((await self.trail.closings()).get(walk.day)):
                return None
            walk.broken(Fault.NO_HEAD)
        elif last > head.seq:
            walk.broken(Fault.EXTRA_ROWS, head.seq + 1)
        if walk.expected:
            walk.broken(Fault.OTHER_DIGEST)
        return walk.examined


def _pruned(told: Closing | None) -> bool:
    return told is not None and told.pruned


def _missing(day: date) -> ExaminedDay:
    walk = Walk.from_start(day)
    walk.broken(Fault.NO_DAY)
    return walk.examined
