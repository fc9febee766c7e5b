"""docs/audit.md lists every event that the server can record."""

from __future__ import annotations

from pathlib import Path

import pytest

from idp.cli.event_table import kinds, meaning, page
from idp.domain.audit.events import Event

PAGE = Path(__file__).parents[2] / "docs" / "audit.md"


def test_the_table_is_what_the_events_say() -> None:
    assert PAGE.read_text() == page(PAGE.read_text()), "run `make docs`"


@pytest.mark.parametrize("kind", list(kinds(Event)), ids=lambda kind: kind.name)
def test_every_event_says_when_it_happens(kind: type[Event]) -> None:
    assert meaning(kind)


def test_no_two_events_have_one_name() -> None:
    names = [kind.name for kind in kinds(Event)]

    assert len(names) == len(set(names)) > 20
