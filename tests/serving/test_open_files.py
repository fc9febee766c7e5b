"""The limit of open files that a server gives itself, and its workers."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from idp.serving.open_files import raise_limit
raise_limit()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""
HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [(256, 2_048, 2_048), (2_048, 2_048, 2_048), (256, 100_000, 65_536), (70_000, 100_000, 70_000)],
)
def test_it_rises_to_what_is_allowed_and_never_falls(soft: int, hard: int, raised: int) -> None:
    if HARD != resource.RLIM_INFINITY and hard > HARD:
        pytest.skip(f"at most {HARD} files may be opened here")

    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(soft=soft, hard=hard)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert answer.stdout.split() == [str(raised), str(hard)]
