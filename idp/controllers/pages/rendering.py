"""
`Pages`: the hosted pages as text. docs/pages.md says which values each template takes.

A text is escaped wherever it stands in a template; a value that a template names and nobody gives is an error, not a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from jinja2.utils import select_autoescape

from idp.controllers.pages.assets import TYPES, Asset, asset_files
from idp.controllers.pages.brand import Brand
from idp.controllers.pages.languages import ENGLISH, Languages
from idp.controllers.pages.policy import content_security_policy
from idp.domain.accounts.passwords import FEWEST_CHARACTERS

# What a page need not say. *errors* are `FieldError`s, *handle* names the authorization request that waits.
DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {"errors": (), "handle": None, "client": None, "user": None, "notice": None, "csrf_token": None}
)
DRAWN = ("style.css", "assets/icon.svg")  # assets that know the brand's colours
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


class Pages:
    """
    *folders* hold templates, `locales/` and `assets/`: an own one first, the packaged one last. Everything is read and
    compiled at once. *root*: the issuer's path, "" for none. Raises `ValueError` or a `jinja2.TemplateError` for a file that
    cannot be used.
    """

    def __init__(self, folders: Sequence[Path], brand: Brand | None = None, *, root: str = "") -> None:
        self.brand = brand or Brand()
        self._root = root
        self._languages = Languages([folder / "locales" for folder in folders])
        self._environment = _environment(folders, self._languages)
        self._environment.globals.update(
            brand=self.brand,
            palette=self.brand.palette,
            fewest_characters=FEWEST_CHARACTERS,
            asset=self._asset,
            url=self.url,
        )
        self.assets = self._assets(folders)
        for name in self._files:
            self._environment.get_template(name)

    @property
    def locales(self) -> tuple[str, ...]:
        return self._languages.locales

    @property
    def templates(self) -> list[str]:
        """Names of all templates of pages, without those that only others use."""
        return [name for name in self._files if name[0] != "_"]

    @property
    def _files(self) -> list[str]:
        return [name for name in self._environment.list_templates(["html"]) if "/" not in name]

    def locale(self, ui_locales: str | None, accept_language: str | None) -> str:
        """The best supported locale; what the client asked for comes before what the browser prefers."""
        return self._languages.best(ui_locales, accept_language)

    def render(self, name: str, /, *, locale: str = ENGLISH, **values: Any) -> str:
        """The template *name*, with or without `.html`, in the language of *locale*."""
        template = self._environment.get_template(name if name.endswith(".html") else f"{name}.html")
        return template.render({**DEFAULTS, **values, "locale": locale})

    def url(self, address: str) -> str:
        """What a browser asks for, for a path of this server: below the issuer's own path. Any other address as it is."""
        return self._root + address if address.startswith("/") else address

    def policy(self, *, images: Iterable[str | None] = (), leads_to: str | None = None) -> str:
        """The Content-Security-Policy for a page that shows *images*, beside the brand's own logo, and leads to a client."""
        return content_security_policy(images=[self.brand.logo_url, *images], leads_to=leads_to)

    def _assets(self, folders: Sequence[Path]) -> dict[str, Asset]:
        drawn = {
            Path(name).name: Asset(self._environment.get_template(name).render().encode(), TYPES[Path(name).suffix])
            for name in DRAWN
        }
        return asset_files([folder / "assets" for folder in folders]) | drawn

    def _asset(self, name: str) -> str:
        return self.url(f"/assets/{name}?v={self.assets[name].digest}")


def _environment(folders: Sequence[Path], languages: Languages) -> Environment:
    # An own template can extend the one that it replaces as "packaged/NAME".
    loaders: list[BaseLoader] = [FileSystemLoader(folder) for folder in folders]
    environment = Environment(
        loader=ChoiceLoader([*loaders, PrefixLoader({"packaged": FileSystemLoader(folders[-1])})]),
        autoescape=select_autoescape(("html", "svg")),
        undefined=StrictUndefined,
        auto_reload=False,
        cache_size=-1,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True

    @pass_context
    def gettext(context: Context, text: str) -> str:
        return languages.text(context["locale"], text)

    @pass_context
    def ngettext(context: Context, one: str, many: str, number: int) -> str:
        return languages.text(context["locale"], one if number == 1 else many)

    @pass_context
    def translated(context: Context, text: str) -> str:
        return languages.message(context["locale"], text)

    @pass_context
    def moment(context: Context, at: datetime) -> str:
        return _moment(at, context["locale"], languages)

    environment.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    environment.filters.update(translated=translated, moment=moment)
    return environment


def _moment(at: datetime, locale: str, languages: Languages) -> str:
    """Day and time in UTC: the server does not know where its reader is."""
    at = at.astimezone(UTC)
    parts = {"day": at.day, "month": languages.text(locale, MONTHS[at.month - 1]), "year": at.year}
    return languages.text(locale, "%(day)s %(month)s %(year)s, %(time)s UTC") % {**parts, "time": f"{at:%H:%M}"}
