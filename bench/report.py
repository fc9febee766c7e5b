"""Results as Markdown for people and as JSON for comparison."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import orjson

from bench.processes import Cores
from bench.rounds import Plan, Results

PACKAGES = ("hypercorn", "granian", "uvloop", "authlib", "cryptography", "asyncpg", "redis", "quart")


def markdown(plan: Plan, results: Results, cores: Cores, notes: Sequence[str]) -> str:
    sign = results.signature_ms
    parts = [
        f"{conditions(cores)} Rounds: {plan.rounds} of {plan.seconds:g} s; {plan.chains} chains; medians.",
        *notes,
        f"Bare RSA-2048 signature: {sign:.3f} ms of CPU, at most {1000 / sign:,.0f} a second on one core.",
        _load_table(results),
        _footprint_table(results),
    ]
    if results.rows:
        parts.append(
            f"The driver was busy {max(row.sample.driver_busy for row in results.rows):.0%} of its core at most."
        )
    if results.record:
        parts.append(f"Beside that, idp has one row of {results.record:.0f} bytes for each session in Postgres.")
    return "\n\n".join(parts) + "\n"


def conditions(cores: Cores) -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    placed = "Server, driver and stores share one core." if cores.shared else "Server on one core, the rest on others."
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {_processor()}, {os.cpu_count()} cores, Linux {platform.release()}, "
        f"Python {platform.python_version()}, {packages}. {placed}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _load_table(results: Results) -> str:
    heads = ("workload", "server", "rps", "p50 ms", "p99 ms", "CPU ms server", "CPU ms stores", "× signature", "faults")
    return table(
        heads,
        [
            (
                row.workload,
                row.server,
                f"{row.sample.rps:,.0f}" if row.sample.rps >= 100 else f"{row.sample.rps:.1f}",
                _number(row.sample.p50_ms, 1),
                _number(row.sample.p99_ms, 1),
                _number(row.sample.server_cpu_ms, 3),
                _number(row.sample.stores_cpu_ms, 3),
                _number(row.sample.server_cpu_ms and row.sample.server_cpu_ms / results.signature_ms, 2),
                ", ".join(f"{count} × {what}" for what, count in row.sample.faults.items()) or "0",
            )
            for row in results.rows
        ],
    )


def _footprint_table(results: Results) -> str:
    ages = sorted({age for footprint in results.footprints for age in footprint.session})
    heads = ("server", "RSS per worker, MiB", *(f"bytes per session, {age:,} rotations" for age in ages))
    return table(
        heads,
        [
            (footprint.server, f"{footprint.rss / 2**20:.0f}", *(f"{footprint.session[age]:,}" for age in ages))
            for footprint in results.footprints
        ],
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def save(folder: Path, name: str, text: str, figures: object) -> Path:
    """Writes NAME-TIME.md and .json; the path of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.md"
    path.write_text(text)
    path.with_suffix(".json").write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))
    return path


def figures(results: Results) -> object:
    return asdict(results)
