"""deploy/grafana/idp.json: every panel asks for what a running server tells."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from world import World

DASHBOARD = json.loads((Path(__file__).parents[2] / "deploy" / "grafana" / "idp.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = {f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]}

FUNCTIONS = {"rate", "increase", "histogram_quantile", "sum", "max"}
GROUPING = {"by", "without"}
# What Prometheus itself adds to each sample when it scrapes.
ADDED = {"job", "instance"}
TOKEN = re.compile(
    r"""\s*(?:(?P<range>\[\$__rate_interval\])|(?P<selector>\{[^{}]*\})|(?P<name>[a-z_][a-z0-9_]*)|(?P<number>\d+(?:\.\d+)?)
    |(?P<sign>[()+*/,-]))""",
    re.VERBOSE,
)
LABEL = re.compile(r"([a-z_]+)(?:=~|!~|!=|=)")
MATCHER = r'[a-z_]+(?:=~|!~|!=|=)"[^"]*"'
SELECTOR = re.compile(rf"\{{{MATCHER}(?:,{MATCHER})*\}}")


def tokens(expression: str) -> list[tuple[str, str]]:
    """Raises when something in the expression is none."""
    found, place = [], 0
    while place < len(expression):
        match = TOKEN.match(expression, place)
        assert match, f"not PromQL: {expression[place:]}"
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
        place = match.end()
    return found


def parsed(expression: str) -> list[tuple[str, set[str]]]:
    """Each metric with the labels that its selector and the groupings around it name."""
    metrics: list[tuple[str, set[str]]] = []
    grouped: set[str] = set()
    depth, in_group = 0, False
    read = tokens(expression)
    for place, (kind, text) in enumerate(read):
        following = read[place + 1] if place + 1 < len(read) else ("", "")
        depth += {"(": 1, ")": -1}.get(text, 0)
        assert depth >= 0, expression
        if in_group:
            in_group = text != ")"
            grouped |= {text} if kind == "name" else set()
        elif text in GROUPING:
            in_group = True
        elif kind == "name" and text in FUNCTIONS:
            assert following[1] in {"(", *GROUPING}, f"{text} is called with nothing"
        elif kind == "name":
            assert following[0] == "selector", f"{text} is asked for on every job"
            assert SELECTOR.fullmatch(following[1]), following[1]
            metrics.append((text, set(LABEL.findall(following[1]))))
    assert depth == 0, expression
    return [(name, labels | grouped) for name, labels in metrics]


@pytest.fixture(scope="module")
async def told(world: World) -> dict[str, set[str]]:
    """The names of the samples that the server can tell, and the labels of each."""
    text = (await world.http.get("/metrics")).text
    families = {family.name for family in text_string_to_metric_families(text)}
    found: dict[str, set[str]] = {}
    for metric in world.services.metrics.described:
        assert metric.name.removesuffix("_total") in families
        for name in metric.samples:
            found[name] = {*metric.labels, "le"} if name.endswith("_bucket") else set(metric.labels)
    return found


def test_it_has_a_row_for_each_part() -> None:
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]

    assert rows == [
        *("Traffic", "Tokens", "Refresh outcomes", "Sign-ins and lockouts", "Limits", "Stores", "bcrypt"),
        "Mail and logout",
    ]


def test_it_is_for_grafana_11_and_any_data_source() -> None:
    assert DASHBOARD["schemaVersion"] == 39
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_no_panel_lies_on_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_every_metric_and_label_of_a_panel_exists(expression: str, told: dict[str, set[str]]) -> None:
    asked = parsed(expression)

    assert asked
    for name, labels in asked:
        assert name in told, f"no server tells {name}"
        assert labels - ADDED <= told[name], name


@pytest.mark.parametrize(
    "wrong", ["rate(idp_x", "idp_x", "sum by (a) (rate(idp_x{job=~'$job'}[5m]))", "rate(idp_x{a}[$__rate_interval])"]
)
def test_what_is_no_expression_is_noticed(wrong: str) -> None:
    with pytest.raises(AssertionError):
        parsed(wrong)


def test_the_panels_leave_out_no_metric(told: dict[str, set[str]]) -> None:
    asked: Any = {name for expression in EXPRESSIONS.values() for name, _ in parsed(expression)}
    families = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in told}

    assert {name for name in families if not any(one.startswith(name) for one in asked)} == set()
