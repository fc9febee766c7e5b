"""deploy/prometheus: every alert asks for what a running server tells, and says what to do."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose import compose
from world import World

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
(GROUP,) = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for rule in GROUP["rules"]}
OF_PROMETHEUS = {"up": {"job", "instance"}}
METRIC = re.compile(r"\b(up|idp_[a-z_]+)\{([^}]*)\}")


@pytest.fixture(scope="module")
async def told(world: World) -> dict[str, set[str]]:
    """The names of the samples that the server can tell, and the labels of each."""
    return OF_PROMETHEUS | {
        name: {*metric.labels, "job", "instance"}
        for metric in world.services.metrics.described
        for name in metric.samples
    }


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_every_alert_asks_for_what_is_told(alert: dict[str, Any], told: dict[str, set[str]]) -> None:
    asked = METRIC.findall(alert["expr"])

    assert len(asked) == len(re.findall(r"\b(?:up\b|idp_[a-z_]+)", alert["expr"])), "a metric is asked for on every job"
    for name, selector in asked:
        assert set(re.findall(r"([a-z_]+)(?:=~|!~|!=|=)", selector)) <= told[name], name


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_every_alert_says_how_urgent_it_is_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert set(alert["annotations"]) == {"summary", "action"}


def test_every_node_is_asked_with_the_token() -> None:
    (job,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    services = compose("monitoring")["services"]
    (targets,) = (one["targets"] for one in job["static_configs"])

    assert set(targets) == {f"{name}:8000" for name in services if re.fullmatch(r"idp-\d", name)}
    assert job["authorization"]["credentials_file"] == "/run/secrets/prometheus_token"
    assert "prometheus_token" in services["prometheus"]["secrets"]
    assert 'job="idp"' in str(ALERTS) and job["job_name"] == "idp"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool here")
def test_promtool_accepts_the_alerts() -> None:
    checked = subprocess.run(["promtool", "check", "rules", FOLDER / "alerts.yml"], capture_output=True, text=True)

    assert checked.returncode == 0, checked.stderr
