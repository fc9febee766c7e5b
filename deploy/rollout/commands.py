"""A command of the operator, with places for what it is about."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass

from nodes import Failed

WITHIN = 600.0


@dataclass(frozen=True, slots=True)
class Command:
    """*template*: for the shell, with `{tag}` and other names in braces. Other braces stay as they are."""

    template: str

    def run(self, **values: str) -> None:
        """Raises `Failed` when it ends with another status than 0, or not within ten minutes."""
        line = self.template
        for name, value in values.items():
            line = line.replace("{" + name + "}", shlex.quote(value))
        print(f"+ {line}", flush=True)
        try:
            status = subprocess.run(line, shell=True, check=False, timeout=WITHIN).returncode
        except subprocess.TimeoutExpired:
            raise Failed(f"not done after {WITHIN:.0f} s: {line}") from None
        if status:
            raise Failed(f"ended with status {status}: {line}")
