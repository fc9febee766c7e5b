"""What no single value shows: what production refuses, and what excludes what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from idp.settings.values import Settings

FEWEST_ROUNDS_IN_PRODUCTION = 10


@dataclass(frozen=True, slots=True)
class Rule:
    """
    *names* are the settings that it looks at, the one to change first. It is silent while one of them is faulty itself.

    *refused* names the thing, *remedy* is an instruction.
    """

    names: tuple[str, ...]
    refused: str
    remedy: str
    broken: Callable[[Settings], bool]

    def fault(self, where: str = "") -> str:
        return f"{self.names[0]}: {self.refused} is refused{where}; {self.remedy}."


IN_PRODUCTION = (
    Rule(
        ("IDP_ISSUER",),
        "an `http` issuer",
        "give an `https://` address",
        lambda settings: not settings.issuer.startswith("https://"),
    ),
    Rule(
        ("IDP_SECRET",),
        "a missing secret",
        "give at least 32 random bytes, `openssl rand -hex 32` makes them",
        lambda settings: not settings.secrets,
    ),
    Rule(
        ("IDP_DATABASE_URL", "IDP_EMBEDDED"),
        "the embedded Postgres",
        "give a URL, or `IDP_EMBEDDED=true` to have it nevertheless",
        lambda settings: settings.database_url is None and settings.embedded is None,
    ),
    Rule(
        ("IDP_REDIS_URL", "IDP_EMBEDDED"),
        "the embedded Valkey",
        "give a URL, or `IDP_EMBEDDED=true` to have it nevertheless",
        lambda settings: settings.redis_url is None and settings.embedded is None,
    ),
    Rule(
        ("IDP_BCRYPT_ROUNDS",),
        f"a number of rounds below {FEWEST_ROUNDS_IN_PRODUCTION}",
        "give 12, or leave it out",
        lambda settings: settings.bcrypt_rounds < FEWEST_ROUNDS_IN_PRODUCTION,
    ),
)

EVERYWHERE = (
    Rule(
        ("IDP_DATABASE_URL", "IDP_EMBEDDED"),
        "`IDP_EMBEDDED=false` without a database",
        "give a URL",
        lambda settings: settings.database_url is None and settings.embedded is False,
    ),
    Rule(
        ("IDP_REDIS_URL", "IDP_EMBEDDED"),
        "`IDP_EMBEDDED=false` without Redis",
        "give a URL",
        lambda settings: settings.redis_url is None and settings.embedded is False,
    ),
)


def broken_rules(settings: Settings, faulty: set[str]) -> list[str]:
    """One sentence for each rule that *settings* break, those about a setting in *faulty* left out."""
    found = [rule.fault() for rule in EVERYWHERE if faulty.isdisjoint(rule.names) and rule.broken(settings)]
    if settings.env == "production":
        found += [
            rule.fault(" in production")
            for rule in IN_PRODUCTION
            if faulty.isdisjoint(rule.names) and rule.broken(settings)
        ]
    return found
