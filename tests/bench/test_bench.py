"""The harness itself, once in small: what it prints is there and means what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]

pytestmark = pytest.mark.isolated


def measured(folder: Path, *options: str) -> tuple[str, Any]:
    """Its table and its figures. In a process of its own: it pins itself to a core and takes over the log."""
    command = [sys.executable, "-m", "bench", "--rounds", "1", "--results", str(folder), *options]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (figures,) = folder.glob("*.json")
    return done.stdout, json.loads(figures.read_bytes())


def test_a_short_run_measures_our_server(tmp_path):
    short = ("--seconds", "1", "--warm-up", "0.1", "--chains", "2", "--rotations", "4")

    text, figures = measured(tmp_path, *short, "--no-peers", "--only", "refresh", "--only", "jwks")

    assert [(row["workload"], row["server"]) for row in figures["rows"]] == [
        ("refresh", "idp (Hypercorn)"),
        ("jwks", "idp (Hypercorn)"),
    ]
    for row in figures["rows"]:
        assert row["sample"]["faults"] == {}
        assert row["sample"]["answers"] > 0
        assert row["sample"]["p99_ms"] >= row["sample"]["p50_ms"] > 0
        assert row["sample"]["server_cpu_ms"] > 0
        assert f"| {row['workload']} | {row['server']} |" in text
    (footprint,) = figures["footprints"]
    assert footprint["rss"] > 2**20
    assert footprint["session"]["1"] == footprint["session"]["4"] > 0
    assert figures["signature_ms"] > 0
    assert figures["record"] > 0


def test_the_layers_of_a_refresh_are_measured_one_by_one(tmp_path):
    text, figures = measured(tmp_path, "--layers", "--times", "48")

    for layer in ("RSA-2048 signature", "Authlib under the bridge", "Redis: rotation, 16 at once"):
        assert figures[layer] > 0
        assert f"| {layer} | {figures[layer]:.1f} |" in text
    assert any("Postgres" in layer for layer in figures)
    assert any("log line" in layer for layer in figures)
