"""What a terminal, a viewer or an editor would obey is written as an escape (LG8)."""

from __future__ import annotations

import pytest

from idp.domain.operation.legible import excerpt, legible

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
BREAKS = ["\u2028", "\u2029"]
DIRECTIONS = [*"\u061c\u200e\u200f", *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))]
UNSEEN = ["\u200b", "\u2060", "\ufeff", "\ufff9", "\U000e0041", "\ud800", "\ue000"]


@pytest.mark.parametrize("letter", [*CONTROLS, *BREAKS, *DIRECTIONS, *UNSEEN], ids=ascii)
def test_what_is_obeyed_rather_than_shown_is_escaped(letter: str) -> None:
    shown = legible(f"a{letter}b")

    assert letter not in shown
    assert shown.isprintable()
    assert shown.startswith("a\\")
    assert shown.endswith("b")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Ada Lovelace",
        "王",
        "José",
        "می\u200cخواهم",
        "क\u094d\u200dष",
        "A\u00a0B",
        "Ada\u3000B",
        "👩\u200d💻",
        r"C:\x1b",
    ],
)
def test_what_people_are_called_stays_as_it_is(text: str) -> None:
    assert legible(text) == text


def test_a_stack_keeps_its_lines_and_nothing_else() -> None:
    assert legible("a\n\tb\x1b[2J\r", keep="\n") == "a\n\\tb\\x1b[2J\\r"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("abc", "abc"), ("abcde", "abcde"), ("abcdef", "abcd…"), ("\x1b[2J", r"\x1b…"), ("\x1b" * 9, r"\x1b…")],
)
def test_an_excerpt_is_as_long_as_it_may_be_with_its_escapes(text: str, shown: str) -> None:
    assert excerpt(text, 5) == shown
