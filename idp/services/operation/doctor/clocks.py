"""Clocks of two machines: tokens, locks and limits live by the second."""

from __future__ import annotations

from datetime import timedelta

from idp.domain.operation.checklist import Item
from idp.domain.operation.diagnosis import Check, Verdict

NOTICED_SKEW = timedelta(seconds=2)
REFUSED_SKEW = timedelta(seconds=30)


def clock(name: Item, ahead: timedelta) -> Check:
    skew = abs(ahead)
    finding = f"It differs from the clock of this machine by {skew.total_seconds():.1f} s."
    if skew < NOTICED_SKEW:
        return Check(name, Verdict.OK, finding)
    verdict = Verdict.FAILED if skew >= REFUSED_SKEW else Verdict.WARNING
    return Check(name, verdict, finding, "Run NTP on both machines.")
