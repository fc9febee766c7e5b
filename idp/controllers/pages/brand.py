"""Whose pages these are, and the colours that follow from the one they have chosen."""

from __future__ import annotations

from dataclasses import dataclass

from idp.domain.sign_in.colours import BLACK, LEGIBLE, WHITE, Colour

# The darkest surface that text stands on in the light scheme, and the lightest in the dark one.
LIGHT_SURFACE = Colour.parse("#eef0f4")
DARK_SURFACE = Colour.parse("#262c36")
DARK_INK = Colour.parse("#0d1117")
COMFORTABLE = 6.0


@dataclass(frozen=True, slots=True)
class Palette:
    """
    *accent* carries *on_accent*; *link* is text on any surface. Those of the dark scheme are tints of the same colour. All
    have at least 4.5:1.
    """

    accent: Colour
    pressed: Colour
    link: Colour
    dark_accent: Colour
    dark_pressed: Colour
    on_accent: Colour = WHITE
    dark_on_accent: Colour = DARK_INK
    light_surface: Colour = LIGHT_SURFACE
    dark_surface: Colour = DARK_SURFACE

    @classmethod
    def of(cls, accent: Colour) -> Palette:
        tint = accent.legible_on(DARK_SURFACE, toward=WHITE, ratio=COMFORTABLE)
        return cls(
            accent=accent,
            pressed=accent.mixed(BLACK, 0.18),
            link=accent.legible_on(LIGHT_SURFACE, toward=BLACK, ratio=LEGIBLE),
            dark_accent=tint,
            dark_pressed=tint.mixed(WHITE, 0.25),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """*logo_url* None: the built-in sign. *links*: label and address, at the foot of every page."""

    name: str = "idp"
    logo_url: str | None = None
    color: str = "#2347c5"
    links: tuple[tuple[str, str], ...] = ()

    @property
    def palette(self) -> Palette:
        return Palette.of(Colour.parse(self.color))
