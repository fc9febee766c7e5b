"""Names and other text that people read."""

from __future__ import annotations

import pytest

from idp.domain.accounts import names

UNSHOWN = "no control characters and none that are invisible"


@pytest.mark.parametrize(
    "text",
    [
        "علی\u200cرضا",  # Persian: ZWNJ parts two halves of a name
        "മോഹന\u0d4d\u200d",  # Malayalam: ZWJ at the end makes a chillu
        "ශ\u0dca\u200dර\u0dd3",  # Sinhala: ZWJ joins two consonants
        "क\u094d\u200cष",  # Hindi: ZWNJ keeps two consonants apart
        "\U0001f469\u200d\U0001f4bb",  # an emoji of several
        "\u2764\ufe0f\u200d\U0001f525",
        "1\ufe0f\u20e3",
        "葛\U000e0100城",  # Japanese: the form of the ideograph is part of the name
        "O'Brien",
        "Łukasz",
        "王",
    ],
)
def test_what_a_language_needs_is_kept(text: str) -> None:
    """IN15."""
    assert names.line(text) == text


@pytest.mark.parametrize("space", ["\u00a0", "\u3000", "\u2003", "\u202f", "\u2028", " \t\r\n "])
def test_white_space_of_any_kind_is_one_space(space: str) -> None:
    assert names.line(f"{space}王{space}小明{space}") == "王 小明"


@pytest.mark.parametrize(
    "hidden",
    [
        *"\u200b\u200e\u200f\u2060\u2061\ufeff\u00ad\u061c\u180e\u034f\u115f\u1160\u3164\uffa0\u2800\u17b4",
        *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
        *"\x00\x1b\x7f\x85\ue000\ud800\uffff\U000e0041\U000e0001\ufe0f\ufe00\U000e0100",
        "\u200c",
        "\u200d",
        "\u200d\u200d",
    ],
)
@pytest.mark.parametrize("around", ["{}Ada", "A{}da", "Ada{}"])
def test_what_nobody_sees_and_what_turns_text_around_is_refused(hidden: str, around: str) -> None:
    """IN15."""
    for rule in (names.line, names.lines):
        with pytest.raises(ValueError, match=UNSHOWN):
            rule(around.format(hidden))


@pytest.mark.parametrize("text", ["علی\u200c\u200cرضا", "\u200cعلی", "\U0001f469\u200d", "A\ufe0fda", "王\u200d"])
def test_joiners_and_selectors_without_use_are_refused(text: str) -> None:
    """IN15."""
    with pytest.raises(ValueError, match=UNSHOWN):
        names.line(text)


def test_accents_alone_are_no_name() -> None:
    with pytest.raises(ValueError, match="accents alone"):
        names.line("\u0316\u0301")


@pytest.mark.parametrize(
    ("name", "whole"),
    [("王", True), ("김", True), ("あ", True), ("ဦ", True), ("A", False), ("é", False), ("", False), ("1", False)],
)
def test_one_letter_is_a_whole_name_where_letters_have_no_case(name: str, whole: bool) -> None:
    assert names.is_whole_name(name, fewest=2, most=50) is whole
    assert names.is_whole_name("A", fewest=1, most=50)
    assert not names.is_whole_name("王" * 51, fewest=2, most=50)
