"""
The chart as helm renders it with each of deploy/helm/values, kept in tests/deploy/rendered: tests read it where no helm is.

Run this (with helm on PATH) after a change of the chart; the first line of each file tells which chart it came from.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "idp"
VALUES = sorted((ROOT / "deploy" / "helm" / "values").glob("*.yaml"))
RENDERED = Path(__file__).parent / "rendered"
KUBERNETES = "1.34"


def fingerprint(values: Path) -> str:
    """Of all that the rendering follows from."""
    sources = [values, *sorted(path for path in CHART.rglob("*") if path.is_file())]
    content = b"".join(path.name.encode() + b"\0" + path.read_bytes() + b"\0" for path in sources)
    return f"# chart {hashlib.sha256(content).hexdigest()}\n"


def rendered(values: Path, *more: str, helm: str = "helm") -> str:
    """Raises `subprocess.CalledProcessError` with helm's words in `stderr`."""
    command = [helm, "template", "idp", str(CHART), "--namespace", "idp", "--kube-version", KUBERNETES]
    return subprocess.run(
        [*command, "--values", str(values), *more], check=True, capture_output=True, text=True, timeout=60
    ).stdout


if __name__ == "__main__":
    RENDERED.mkdir(exist_ok=True)
    for values in VALUES:
        (RENDERED / values.name).write_text(fingerprint(values) + rendered(values))
