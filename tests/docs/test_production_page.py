"""docs/production.md and `idp doctor` speak of the same things."""

from __future__ import annotations

import re
from pathlib import Path

from idp.domain.operation.checklist import Item
from idp.domain.operation.diagnosis import Verdict

PAGE = Path(__file__).parents[2] / "docs" / "production.md"
LINE = re.compile(
    r"^\| `(?P<id>[a-z-]+)` \|(?:[^|\n]*\|){3} (?P<checked>doctor, (?P<worst>\w+)|by hand) \|$", re.MULTILINE
)


def test_every_line_says_how_it_is_checked_and_none_is_there_twice() -> None:
    text = PAGE.read_text()
    named = [line["id"] for line in LINE.finditer(text)]

    assert len(named) == len(set(named))
    assert len(named) == len(re.findall(r"^\| `[a-z-]+` \|(?:[^|\n]*\|){4}$", text, re.MULTILINE))


def test_what_the_checklist_says_the_doctor_checks_and_nothing_else() -> None:
    checked = [line["id"] for line in LINE.finditer(PAGE.read_text()) if line["checked"] != "by hand"]

    assert sorted(checked) == sorted(Item)


def test_a_line_names_a_verdict_that_there_is() -> None:
    named = {line["worst"] for line in LINE.finditer(PAGE.read_text()) if line["worst"]}

    assert named <= set(Verdict) - {Verdict.OK}
