"""`python -m idp.cli.metrics_table docs/metrics.md` writes the table of all metrics at the end of that page."""

from __future__ import annotations

import sys
from pathlib import Path

from idp.gateways.metrics import Metrics

HEADING = "\n## All of them\n"


def page(old: str) -> str:
    """*old* with the table made anew; the text before it stays."""
    return old.partition(HEADING)[0].rstrip("\n") + "\n" + HEADING + table()


def table() -> str:
    lines = [
        f"| `{metric.name}` | {metric.kind} | {', '.join(f'`{label}`' for label in metric.labels)} | {metric.meaning} |"
        for metric in sorted(Metrics().described, key=lambda metric: metric.name)
    ]
    return "\n| name | kind | labels | |\n|---|---|---|---|\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(page(file.read_text()))
