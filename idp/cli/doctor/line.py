"""A line of the tables that judge settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from idp.domain.operation.checklist import Item
from idp.domain.operation.diagnosis import Check, Verdict
from idp.settings import Settings


@dataclass(frozen=True, slots=True)
class Fault:
    """*chosen* says whether the settings are like that."""

    verdict: Verdict
    chosen: Callable[[Settings], bool]
    finding: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Line:
    """*good* is the finding when there is no fault; of several faults the first one counts."""

    item: Item
    good: str
    faults: tuple[Fault, ...]

    def judged(self, chosen: Settings) -> Check:
        for fault in self.faults:
            if fault.chosen(chosen):
                return Check(self.item, fault.verdict, fault.finding, fault.remedy)
        return Check(self.item, Verdict.OK, self.good)
