"""
Texts that make a regular expression slow, if anything does, made of the pattern itself: a piece of what it matches, again
and again, behind a beginning that it matches and before an end that it does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

ENDS = ("\0", "\n")
# In this order: a letter that several parts of a pattern match is the one that they can share out in many ways.
CANDIDATES = "a0A -._/:@\"'=,;~+%\\#?&()[]{}<>$!|\t\n*^`ä\x80\x1b\u2028"


def worst_cases(pattern: re.Pattern[Any], length: int) -> Iterator[str | bytes]:
    """Of at least *length* letters each."""
    parsed = list(re._parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE))  # type: ignore[attr-defined]
    beginnings = ["", *(_text(parsed[:place]) for place in range(1, len(parsed) + 1))]
    pumps = dict.fromkeys(filter(None, [*_pieces(parsed), _text(parsed), *CANDIDATES[:4]]))
    for pump in pumps:
        body = pump * (length // len(pump) + 1)
        for beginning in dict.fromkeys(beginnings):
            for end in ENDS:
                text = f"{beginning}{body}{end}"
                yield text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")


def _pieces(parsed: Any) -> Iterator[str]:
    """What the parts of a pattern match, inner ones too: runs of literals, and one letter of each class."""
    run = ""
    for part in parsed:
        if part[0].name == "LITERAL":
            run += chr(part[1])
            continue
        yield run
        run = ""
        for inner in _inner(part):
            yield _text(inner)
            yield from _pieces(inner)
        yield _letter(part)
    yield run


def _inner(part: Any) -> list[Any]:
    kind, value = part[0].name, part[1]
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return [value[2]]
    if kind == "SUBPATTERN":
        return [value[3]]
    if kind == "BRANCH":
        return list(value[1])
    return [value[1]] if kind.startswith("ASSERT") else [value] if kind == "ATOMIC_GROUP" else []


def _text(parsed: Any) -> str:
    """One that the parts match, as short as it may be."""
    return "".join(map(_matched, parsed))


def _matched(part: Any) -> str:
    kind, value = part[0].name, part[1]
    if kind == "LITERAL":
        return chr(value)
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return _text(value[2]) * max(value[0], min(value[1], 1))
    if kind.startswith("ASSERT"):
        return _text(value[1]) if kind == "ASSERT" and value[0] < 0 else ""
    inner = _inner(part)
    return _text(inner[0]) if inner else _letter(part)


def _letter(part: Any) -> str:
    kind, value = part[0].name, part[1]
    if kind == "ANY":
        return "a"
    if kind == "NOT_LITERAL":
        return next(each for each in CANDIDATES if ord(each) != value)
    if kind != "IN":
        return ""
    matching = re._compiler.compile(_only(part))  # type: ignore[attr-defined]
    return next((each for each in CANDIDATES if matching.match(each)), "")


def _only(part: Any) -> Any:
    pattern = re._parser.parse("")  # type: ignore[attr-defined]
    pattern.append(part)
    return pattern
