"""No text of anybody's keeps the server busy for longer than its length explains (IN14)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from worst_cases import worst_cases

HERE = Path(__file__).parent


def test_every_pattern_and_every_reader_takes_time_in_proportion_to_the_text() -> None:
    """IN14, LG9: each on the worst cases for it, of 100 kB. The last line says what was running when the time was up."""
    ran = subprocess.run([sys.executable, str(HERE / "time_bound.py")], capture_output=True, text=True)

    assert ran.stdout.splitlines()[-1:] == ["done"], ran.stderr[-2000:]


@pytest.mark.parametrize(
    ("pattern", "pump"),
    [(r"eyJ[\w-]{8,}\.[\w-]+", "eyJeyJ"), (r"(a+)+$", "aaaa"), (r"x\s*,\s*y", "    "), (r"a(?:b|bc)*d", "bbbb")],
)
def test_the_worst_cases_of_a_pattern_are_among_those_that_are_tried(pattern: str, pump: str) -> None:
    assert any(pump * 3 in str(text) for text in worst_cases(re.compile(pattern), 100))
