"""`python -m idp.cli.event_table docs/audit.md` writes the table of all events at the end of that page."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from idp.domain.audit.events import Event

HEADING = "\n## Events\n"
NAME = re.compile(r"\*(\w+)\*")


def page(old: str) -> str:
    """*old* with the table made anew; the text before it stays."""
    return old.partition(HEADING)[0] + HEADING + table()


def table() -> str:
    rows = sorted({kind.name: kind for kind in kinds(Event)}.items())
    lines = [f"| `{name}` | {kind.severity} | {meaning(kind)} | {members(kind)} |" for name, kind in rows]
    return "\n| name | severity | | detail |\n|---|---|---|---|\n" + "\n".join(lines) + "\n"


def kinds(kind: type[Event]) -> Iterator[type[Event]]:
    """Every kind that has a name, once: a dataclass with slots leaves the class it was made from behind."""
    for inner in kind.__subclasses__():
        if hasattr(inner, "name") and inner.__dataclass_params__.frozen and "__slots__" in vars(inner):  # type: ignore[attr-defined]
            yield inner
        yield from kinds(inner)


def meaning(kind: type[Event]) -> str:
    text = " ".join((kind.__doc__ or "").split())
    return "" if text.startswith(f"{kind.__name__}(") else NAME.sub(r"`\1`", text)


def members(kind: type[Event]) -> str:
    common = {field.name for field in fields(Event)}
    return ", ".join(f"`{field.name}`" for field in fields(kind) if field.name not in common)


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(page(file.read_text()))
