"""
Text of one line or several that people read: names of users and clients, and the claims that are such text.

What is stored shows all that it has. Refused are characters that nobody sees and those that turn the text around them, since
both make one name look like another or like part of the page (Unicode Technical Report 36, section 2.10). Languages need some
that show nothing of their own:

    ZWNJ, ZWJ             between or after letters of scripts that join them (Persian, Hindi, Malayalam), and within an emoji
    variation selectors   after the ideograph or the symbol whose form they choose (Japanese names, emoji)
    NBSP, U+3000          are white space: they become a space
"""

from __future__ import annotations

import unicodedata

# More than any name or claim may have: what is longer is refused before it is normalised, which can take quadratic time.
LONGEST = 2000

ZWNJ, ZWJ = "\u200c", "\u200d"
# Of control, surrogate, private, unassigned and format characters, the last are those that turn text or hide in it.
UNSHOWN_KINDS = frozenset({"Cc", "Cs", "Co", "Cn", "Cf"})
# Letters, marks and symbols to Unicode; white or nothing to the eye: combining grapheme joiner, Hangul fillers, Khmer's inherent
# vowels, Mongolian selectors, the Braille blank, the Khitan filler and the null notehead.
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\U00016fe4\U0001d159")
# Scripts in which a joiner changes how letters look: Arabic and its kin, those of India and South-East Asia, Mongolian.
JOINING = (
    (0x0600, 0x10A0),
    (0x1700, 0x18B0),
    (0x1900, 0x1CFF),
    (0xA800, 0xAC00),
    (0xFB50, 0xFE00),
    (0xFE70, 0xFEFF),
    (0x10A00, 0x12000),
)


def line(text: str) -> str:
    """
    The form to store: composed (NFC), white space of any kind and length is one space, none at the ends.

    Raises `ValueError` with a sentence that does not repeat *text*; an empty *text* is none of its faults.
    """
    return " ".join(_shown(text).split())


def lines(text: str) -> str:
    """As `line`, for what may have several: each is parted from the next by one line feed."""
    parted = [" ".join(each.split()) for each in _shown(text).splitlines()]
    return "\n".join(filter(None, parted))


def is_whole_name(name: str, *, fewest: int, most: int) -> bool:
    """
    Whether *name*, a `line`, is as long as a name may be, in code points.

    One letter is a whole name where letters have no case: such a letter may stand for a syllable or a word (王, 김).
    """
    if len(name) == 1:
        return fewest <= 1 or unicodedata.category(name) == "Lo"
    return fewest <= len(name) <= most


def _shown(text: str) -> str:
    if len(text) > LONGEST:
        raise ValueError(f"This may have {LONGEST} characters at most.")
    composed = unicodedata.normalize("NFC", text)
    before = ""
    for place, character in enumerate(composed):
        if fault := _fault(before, character, composed[place + 1 : place + 2]):
            raise ValueError(fault)
        before = character
    if composed.strip() and all(unicodedata.category(each)[0] in "MZC" for each in composed):
        raise ValueError("This needs a letter, a digit or a sign, not accents alone.")
    return composed


def _fault(before: str, character: str, after: str) -> str | None:
    if character.isascii():
        hidden = not character.isprintable() and character not in "\t\r\n"
    elif character in (ZWNJ, ZWJ):
        hidden = not (_joins(before) or (character == ZWJ and _is_symbol(before) and _is_symbol(after)))
    elif _selects(character):
        hidden = not _has_forms(before, character)
    else:
        hidden = character in BLANK or unicodedata.category(character) in UNSHOWN_KINDS
    return (
        "This may have no control characters and none that are invisible or turn the text around." if hidden else None
    )


def _joins(before: str) -> bool:
    return before not in ("", ZWNJ, ZWJ) and any(first <= ord(before) < end for first, end in JOINING)


def _selects(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def _has_forms(before: str, selector: str) -> bool:
    if selector in "\ufe0e\ufe0f" and before != "":  # text or emoji: signs, and the digits of keycaps
        return _is_symbol(before) or unicodedata.category(before) in ("Nd", "Po", "Pd")
    return before != "" and unicodedata.category(before) == "Lo" and unicodedata.east_asian_width(before) == "W"


def _is_symbol(character: str) -> bool:
    """The parts of emoji: signs, skin tones, and the selector of the coloured form."""
    return character == "\ufe0f" or (character != "" and unicodedata.category(character) in ("So", "Sk", "Sm"))
