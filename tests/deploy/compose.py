"""compose.yml as Docker Compose reads it: merged, its variables filled in, services chosen by profile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
VARIABLE = re.compile(r"\$\$|\$\{(?P<name>[A-Z_0-9]+)(?:(?P<kind>:-|:\+)(?P<other>[^}]*))?\}|\$(?P<wrong>.)")


def compose(*profiles: str, **variables: str) -> dict[str, Any]:
    """The whole file; of its services those without a profile and those of *profiles*."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "compose.yml").read_text())
    filled: dict[str, Any] = _filled(read, variables)
    chosen = {
        name: service
        for name, service in filled["services"].items()
        if not service.get("profiles") or set(service["profiles"]) & set(profiles)
    }
    return filled | {"services": chosen}


def env_file(path: str) -> dict[str, str]:
    lines = (ROOT / path).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(inner, variables) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, variables) for inner in value]
    if isinstance(value, str):
        return VARIABLE.sub(lambda match: _value(match, variables), value)
    return value


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    assert not match["wrong"], f"a dollar sign that stands alone: {match.string}"
    if match[0] == "$$":
        return "$"
    given, other = variables.get(match["name"], ""), match["other"] or ""
    if match["kind"] == ":+":
        return other if given else ""
    return given or other
