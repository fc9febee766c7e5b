"""docs/metrics.md lists every metric that the server tells."""

from __future__ import annotations

from pathlib import Path

from idp.cli.metrics_table import page

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_table_is_what_the_server_tells() -> None:
    assert PAGE.read_text() == page(PAGE.read_text()), "run `make docs`"
