"""The pages that people read, and what they mention."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
STARTS = ("idp", ".venv/bin/idp")
ENDS = re.compile(r"\s(?:\||&&|;|#|>|2>)(?:\s|$)")
HEADING = re.compile(r"^#+ (.+?) *$", re.MULTILINE)
LINK = re.compile(r"\[[^\]\[]*(?:\[[^\]]*\])?[^\]\[]*\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    """Those that are made of the program too."""
    kept = [ROOT / "README.md", ROOT / "keys/README.md"]
    return sorted([*kept, *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").rglob("*.md")])


@dataclass(frozen=True)
class Command:
    """*arguments* after `idp`; *whole*: on a line of its own, to be typed as it stands."""

    page: Path
    arguments: tuple[str, ...]
    whole: bool


def commands(page: Path) -> Iterator[Command]:
    text = page.read_text()
    blocks = [block for block in FENCE.findall(text) if "Usage: idp" not in block]
    outside = FENCE.sub("", text)
    blocks += re.findall(r"(?:^(?: {4,}|\t).*\n)+", outside, re.MULTILINE)
    for block in blocks:
        for line in re.sub(r"\s*\\\n\s*", " ", block).splitlines():
            yield from _command(page, line, whole=True)
    for code in INLINE.findall(outside):
        yield from _command(page, code, whole=False)


def _command(page: Path, line: str, *, whole: bool) -> Iterator[Command]:
    line = line.strip().removeprefix("$ ")
    if not line.startswith(tuple(f"{start} " for start in STARTS)):
        return
    typed = ENDS.split(f"{line} ")[0].split("   ")[0]  # what it does may stand beside it
    yield Command(page, tuple(shlex.split(typed)[1:]), whole and "…" not in typed)


def links(page: Path) -> list[str]:
    """Relative ones."""
    found = LINK.findall(FENCE.sub("", page.read_text()))
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    return {_anchor(heading) for heading in HEADING.findall(FENCE.sub("", page.read_text()))}


def _anchor(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
