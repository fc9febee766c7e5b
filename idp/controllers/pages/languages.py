"""
The languages of the pages: which one a browser gets, and what it reads.

The English text is the key. `locales/LOCALE.toml` holds the others: `[pages]` for the texts in the templates, `[messages]`
for those that come from elsewhere, refusals above all. What has no translation is shown in English.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

ENGLISH = "en"
LONGEST_HEADER = 500
TAG = re.compile(r"[a-z]{2,8}(?:-[a-z0-9]{1,8})*")
VALUE = re.compile(r"%\((\w+)\)s")
WEIGHT = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


class Languages:
    """*folders* hold the catalogues, the first one's texts before those of the next. Raises `ValueError` for a broken one."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._catalogues: dict[str, dict[str, str]] = {ENGLISH: {}}
        for folder in reversed(folders):
            for file in sorted(folder.glob("*.toml")):
                self._catalogues.setdefault(file.stem, {}).update(_catalogue(file))

    @property
    def locales(self) -> tuple[str, ...]:
        return tuple(self._catalogues)

    def best(self, ui_locales: str | None, accept_language: str | None) -> str:
        """
        The locale for somebody who prefers *ui_locales* (OpenID Connect Core, section 3.1.2.1) and, failing that, what the
        browser's Accept-Language says. Looked up as in RFC 4647, section 3.4: who wants `de-AT` can read `de`.
        """
        wanted = [*(ui_locales or "")[:LONGEST_HEADER].split(), *_accepted(accept_language or "")]
        return next((found for tag in wanted if (found := self._lookup(tag))), ENGLISH)

    def text(self, locale: str, english: str) -> str:
        return self._catalogues.get(locale, {}).get(english, english)

    def message(self, locale: str, english: str) -> str:
        """Several sentences that were put together at run time are looked up one by one."""
        catalogue = self._catalogues.get(locale, {})
        if english in catalogue:
            return catalogue[english]
        return " ".join(catalogue.get(sentence, sentence) for sentence in re.split(r"(?<=[.:]) ", english))

    def _lookup(self, tag: str) -> str | None:
        """Also of tags as programs and POSIX locales have them, such as `de_DE`."""
        tag = tag.lower().replace("_", "-")
        known = {locale.lower().replace("_", "-"): locale for locale in self._catalogues}
        while tag and tag not in known:
            tag = tag.rpartition("-")[0]
        return known.get(tag)


def _catalogue(file: Path) -> dict[str, str]:
    try:
        sections = tomllib.loads(file.read_text("utf-8"))
        for english, text in sections.get("pages", {}).items():
            _check(english, text)
        return {english: str(text) for section in sections.values() for english, text in section.items()}
    except (ValueError, AttributeError) as fault:
        raise ValueError(f"{file.name} is no catalogue of translations: {fault}") from fault


def _check(english: str, text: str) -> None:
    """A value that the page does not have, or a lone percent sign, would be an error only when somebody reads that page."""
    try:
        _ = text % dict.fromkeys(VALUE.findall(english), "")
    except (KeyError, TypeError, ValueError) as fault:
        raise ValueError(f"{text!r} does not fit {english!r}") from fault


def _accepted(header: str) -> Iterator[str]:
    """Language tags, the most wanted first (RFC 9110, section 12.5.4). What cannot be read is left out."""
    weighted = list(_weighted(header[:LONGEST_HEADER].lower().split(",")))
    weighted.sort(key=lambda entry: -entry[0])  # stable: of equal weight, the first stays first
    return (tag for weight, tag in weighted if weight > 0)


def _weighted(entries: Iterable[str]) -> Iterator[tuple[float, str]]:
    for entry in entries:
        tag, _, parameter = (part.strip() for part in entry.partition(";"))
        weight = WEIGHT.fullmatch(parameter) if parameter else None
        if TAG.fullmatch(tag) and (weight or not parameter):
            yield float(weight[1]) if weight else 1.0, tag
