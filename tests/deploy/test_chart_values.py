"""The values of deploy/helm/idp: each has a default, a place where it is read, and a schema that refuses what is none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from render_chart import CHART, VALUES

from idp.settings.fields import SETTINGS

DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
NAMES = [path.stem for path in VALUES]


@pytest.mark.parametrize("values", VALUES, ids=NAMES)
def test_the_schema_takes_the_defaults_and_the_examples(values: Path) -> None:
    jsonschema.validate(DEFAULTS, SCHEMA)
    jsonschema.validate(yaml.safe_load(values.read_text()), SCHEMA)


@pytest.mark.parametrize(
    "wrong",
    [
        {"replica": 3},
        {"settings": {"IDP_SECRET": "x"}},
        {"settings": {"LOG": "x"}},
        {"secrets": {"values": {"IDP_ISSUER": "x"}}},
        {"image": {"tag": "latest"}},
        {"networkPolicy": {"database": []}},
    ],
    ids=str,
)
def test_the_schema_refuses_what_has_no_effect_or_a_bad_one(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, SCHEMA)


def test_the_schema_knows_which_settings_are_secret() -> None:
    secret = {setting.name for setting in SETTINGS if setting.secret}
    refused = set(SCHEMA["properties"]["settings"]["propertyNames"]["not"]["enum"])

    assert secret <= refused
    assert set(SCHEMA["properties"]["secrets"]["properties"]["names"]["items"]["enum"]) == secret - {
        "IDP_MIGRATION_DATABASE_URL"
    }


def test_every_value_that_a_template_reads_has_a_default_and_every_default_is_read() -> None:
    text = "".join(path.read_text() for path in (CHART / "templates").rglob("*") if path.is_file())
    read = {tuple(path.split(".")) for path in re.findall(r"\.Values\.([A-Za-z.]+[A-Za-z])", text)}

    for path in read:
        place: Any = DEFAULTS
        for name in path:
            if path[:1] == ("settings",) or path[:2] == ("secrets", "values"):
                break
            assert name in place, ".".join(path)
            place = place[name]
    for leaf in leaves(DEFAULTS):
        assert any(leaf[: len(path)] == path for path in read), ".".join(leaf)


def leaves(value: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from leaves(inner, (*above, name))
        else:
            yield (*above, name)
