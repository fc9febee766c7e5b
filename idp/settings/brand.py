"""Settings of the hosted pages: name, logo, colour and links of whoever runs the server."""

from __future__ import annotations

import re
from pathlib import Path

from idp.domain.sign_in.colours import LEGIBLE, WHITE, Colour
from idp.settings.parsing import Parser, Unacceptable

HTTPS_URL = re.compile(r"https://[A-Za-z0-9._-]+(?::[0-9]{1,5})?(?:[/?#][!-~]*)?")
LOCAL_PATH = re.compile(r"/(?![/\\])[!-~]*")
MOST_CHARACTERS = 60


def brand_name() -> Parser:
    return Parser(f"up to {MOST_CHARACTERS} characters on one line", _line)


def logo_url() -> Parser:
    """It goes into an attribute and its origin into a header, so neither spaces nor quotation marks nor `;` pass."""

    def read(text: str) -> str:
        if not (HTTPS_URL.fullmatch(text) or LOCAL_PATH.fullmatch(text)):
            raise ValueError
        return text

    return Parser("an `https://` address, or a path of this server such as `/assets/logo.svg`", read)


def colour() -> Parser:
    def read(text: str) -> str:
        found = Colour.parse(text)
        contrast = found.contrast(WHITE)
        if contrast < LEGIBLE:
            darker = found.legible_on(WHITE, toward=Colour(0, 0, 0))
            raise Unacceptable(
                f"white text on {found} has a contrast of {contrast:.1f}:1 and needs {LEGIBLE}:1; {darker} has enough."
            )
        return str(found)

    return Parser(f"a colour such as `#2347c5`, with a contrast of at least {LEGIBLE}:1 to white", read)


def link() -> Parser:
    """(label, address)"""

    def read(text: str) -> tuple[str, str]:
        label, _, address = text.partition("=")
        if not (HTTPS_URL.fullmatch(address) or LOCAL_PATH.fullmatch(address)):
            raise ValueError
        return _line(label.strip()), address

    return Parser("`Label=https://…` or `Label=/path`, a comma in it percent-encoded", read)


def folder() -> Parser:
    def read(text: str) -> Path:
        if not Path(text).is_dir():
            raise ValueError
        return Path(text)

    return Parser("a folder that exists", read)


def _line(text: str) -> str:
    if not 1 <= len(text) <= MOST_CHARACTERS or not text.isprintable():
        raise ValueError
    return text
