"""Colours as people see them: how well one can be read on another (WCAG 2.2, "contrast ratio" and "relative luminance")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

LEGIBLE = 4.5  # WCAG 2.2, success criterion 1.4.3
STEPS = 40


@dataclass(frozen=True, slots=True)
class Colour:
    """sRGB, each part from 0 to 255."""

    red: int
    green: int
    blue: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `#rgb` or `#rrggbb`. Raises `ValueError` for anything else."""
        if re.fullmatch(r"#(?:[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})", text) is None:
            raise ValueError
        digits = text[1:] if len(text) == len("#rrggbb") else "".join(2 * digit for digit in text[1:])
        return cls(*bytes.fromhex(digits))

    def __str__(self) -> str:
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"

    @property
    def luminance(self) -> float:
        """0 for black, 1 for white."""
        red, green, blue = map(_linear, (self.red, self.green, self.blue))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    def contrast(self, other: Colour) -> float:
        """From 1, nothing to see, to 21, black on white."""
        darker, lighter = sorted((self.luminance, other.luminance))
        return (lighter + 0.05) / (darker + 0.05)

    def mixed(self, other: Colour, share: float) -> Colour:
        """*share* of *other*, from 0 to 1."""
        pairs = ((self.red, other.red), (self.green, other.green), (self.blue, other.blue))
        return Colour(*(round(own + (its - own) * share) for own, its in pairs))

    def legible_on(self, surface: Colour, toward: Colour, ratio: float = LEGIBLE) -> Colour:
        """The nearest to this colour, on the way *toward* another, that has *ratio* to *surface*."""
        ways = (self.mixed(toward, step / STEPS) for step in range(STEPS + 1))
        return next((way for way in ways if way.contrast(surface) >= ratio), toward)


BLACK = Colour(0, 0, 0)
WHITE = Colour(255, 255, 255)


def _linear(part: int) -> float:
    share = part / 255
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)
