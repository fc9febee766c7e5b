"""
A B C, C B A, A B C: every server meets the same weather.

Rounds of one workload follow each other at once, so that servers are compared within minutes; medians are quoted.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import uvloop

from bench.driver import Sample, measure, repeat
from bench.processes import Cores, largest_rss
from bench.requests import Workload
from bench.signature import BareSignature
from bench.targets import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Times are in seconds; *rotations* is how old the session gets whose size is taken, 0 leaves that out."""

    workloads: Sequence[Workload]
    rounds: int
    seconds: float
    warm_up: float
    chains: int
    rotations: int


@dataclass(frozen=True, slots=True)
class Row:
    """Medians over the rounds; answers and faults are added up, of how busy the driver was the most counts."""

    workload: Workload
    server: str
    sample: Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """*rss* of one worker after the load, bytes; *session* the bytes of one session by number of rotations."""

    server: str
    rss: int
    session: dict[int, int]


@dataclass(slots=True)
class Results:
    """*signature_ms* is the CPU time of a bare signature, the median over the run; *record* a session's bytes in Postgres."""

    rows: list[Row] = field(default_factory=list)
    footprints: list[Footprint] = field(default_factory=list)
    signature_ms: float = 0.0
    record: float = 0.0


def run(plan: Plan, targets: Sequence[Target], cores: Cores, tell: Callable[[str], None]) -> Results:
    """*tell* hears what is under way."""
    signature, signatures, results = BareSignature(), [], Results()
    for workload in plan.workloads:
        able = [target for target in targets if workload in target.scripts]
        samples: dict[str, list[Sample]] = {target.name: [] for target in able}
        for number in range(plan.rounds):
            signatures.append(signature.cpu_ms(cores))
            for target in able if number % 2 == 0 else reversed(able):
                tell(f"{workload}, round {number + 1} of {plan.rounds}: {target.name}")
                samples[target.name].append(_sample(plan, workload, target))
        results.rows += [Row(workload, name, _median(taken)) for name, taken in samples.items()]
    results.signature_ms = statistics.median(signatures)
    for target in targets:
        tell(f"growth: {target.name}")
        rss = largest_rss(target.program.pid)
        results.footprints.append(Footprint(server=target.name, rss=rss, session=_growth(plan, target)))
    return results


def _sample(plan: Plan, workload: Workload, target: Target) -> Sample:
    load = measure(
        target.port,
        target.scripts[workload],
        server=target.program.pid,
        stores=target.stores,
        warm_up=plan.warm_up,
        seconds=plan.seconds,
    )
    return uvloop.run(load)


def _median(samples: Sequence[Sample]) -> Sample:
    def median(name: str) -> float | None:
        known = [value for sample in samples if (value := getattr(sample, name)) is not None]
        return statistics.median(known) if known else None

    return Sample(
        answers=sum(sample.answers for sample in samples),
        rps=median("rps") or 0.0,
        p50_ms=median("p50_ms"),
        p99_ms=median("p99_ms"),
        server_cpu_ms=median("server_cpu_ms"),
        stores_cpu_ms=median("stores_cpu_ms"),
        driver_busy=max(sample.driver_busy for sample in samples),
        faults=dict(sum((Counter(sample.faults) for sample in samples), Counter())),
    )


def _growth(plan: Plan, target: Target) -> dict[int, int]:
    """What one more session takes, after 1 rotation and after all."""
    if not plan.rotations:
        return {}
    before = target.kept()
    session = target.new_session()
    sizes, done = {}, 0
    for rotations in sorted({1, plan.rotations}):
        uvloop.run(repeat(target.port, session, rotations - done))
        sizes[rotations], done = target.kept() - before, rotations
    return sizes
