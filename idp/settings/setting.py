"""One setting, and a group of them, as the tables of fields name them."""

from __future__ import annotations

from dataclasses import dataclass

from idp.settings.parsing import Parser


@dataclass(frozen=True, slots=True)
class Setting:
    """*default* is a text as a user would write it, or None; then *unset* says in words what happens."""

    name: str
    default: str | None
    meaning: str
    parser: Parser
    unset: str = "none"
    secret: bool = False

    @property
    def attribute(self) -> str:
        return self.name.removeprefix("IDP_").lower()

    @property
    def file_name(self) -> str:
        """The variable that names a file with this secret in it."""
        return f"{self.name}_FILE"


@dataclass(frozen=True, slots=True)
class Group:
    heading: str
    settings: tuple[Setting, ...]
