"""
Foreign text in a place that people read: a log line, a terminal.

A terminal obeys control characters, an editor or a viewer breaks lines at more than the line feed, and marks of direction
show a text in another order than it has. Each of these is written as the escape that Python has for it.
"""

from __future__ import annotations

import unicodedata

# Arabic, Persian and several Indian scripts are not written without them.
JOINERS = "\u200c\u200d"


def legible(text: str, *, keep: str = "") -> str:
    """*text* with the escapes. *keep*: characters that stay as they are, such as the line feeds of a stack."""
    if text.isprintable():
        return text
    return "".join(each if _is_shown(each) or each in keep else _escaped(each) for each in text)


def excerpt(text: str, longest: int) -> str:
    """*text* on one line of at most *longest* characters, made legible; the end of what is longer is left out."""
    shown = legible(text[:longest])
    return shown if len(text) <= longest and len(shown) <= longest else f"{shown[: longest - 1]}\N{HORIZONTAL ELLIPSIS}"


def _is_shown(letter: str) -> bool:
    return letter.isprintable() or letter in JOINERS or unicodedata.category(letter) == "Zs"


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
