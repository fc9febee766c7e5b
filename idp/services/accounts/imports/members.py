"""Reading one JSON object of a file: every fault is a `ValueError` with a sentence that names the member, never its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from idp.domain.accounts.claim_rules import ADDRESS_RULES, RULES
from idp.services.accounts import account_rules

T = TypeVar("T")

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


class Members:
    """*within* is put before each name in what is told."""

    def __init__(self, value: Any, within: str = "") -> None:
        if not isinstance(value, dict):
            raise ValueError(f"{within.rstrip('.') or 'the line'}: must be a JSON object.")  # noqa: TRY004 - one kind for all
        self._members: Mapping[str, Any] = value
        self._within = within

    def require_known(self, names: Sequence[str]) -> None:
        for name in self._members:
            if name not in names:
                told = name if len(name) <= 40 and name.isprintable() else "one of them"
                raise ValueError(f"{self._within}{told}: there is no such member; there are {', '.join(names)}.")

    def __contains__(self, name: str) -> bool:
        return self._members.get(name) is not None

    def text(self, name: str) -> str | None:
        return self._typed(name, str, "a text")

    def flag(self, name: str, otherwise: bool = False) -> bool:
        found = self._typed(name, bool, "true or false")
        return otherwise if found is None else found

    def number(self, name: str) -> int | None:
        found = self._typed(name, int, "a whole number")
        if isinstance(found, bool):
            raise self.fault(name, "must be a whole number.")
        return found

    def inner(self, name: str) -> Members | None:
        value = self._members.get(name)
        return None if value is None else Members(value, f"{self._within}{name}.")

    def items(self, name: str) -> list[Any]:
        return self._typed(name, list, "an array") or []

    def texts(self, name: str) -> list[str]:
        found = self.items(name)
        if not all(isinstance(each, str) for each in found):
            raise self.fault(name, "must be an array of texts.")
        return found

    def document(self, name: str) -> dict[str, Any] | None:
        """A JSON object whose members are somebody else's business."""
        return self._typed(name, dict, "a JSON object")

    def ruled(self, name: str, rule: Callable[[str], T]) -> T | None:
        text = self.text(name)
        return None if text is None else self.passed(name, rule, text)

    def passed(self, name: str, rule: Callable[[str], T], text: str) -> T:
        try:
            return rule(text)
        except ValueError as fault:
            raise self.fault(name, str(fault)) from None

    def email(self, name: str = "email") -> str:
        found = self.ruled(name, account_rules.email)
        if found is None:
            raise self.fault(name, "an account needs an e-mail address.")
        return found

    def id(self, name: str) -> UUID | None:
        return self.ruled(name, _uuid)

    def instant(self, name: str) -> datetime | None:
        return self.ruled(name, instant)

    def fault(self, name: str, sentence: str) -> ValueError:
        return ValueError(f"{self._within}{name}: {sentence}")

    def _typed(self, name: str, kind: type[T], told: str) -> T | None:
        value = self._members.get(name)
        if value is None or isinstance(value, kind):
            return value
        raise self.fault(name, f"must be {told}.")


def instant(text: str) -> datetime:
    try:
        read = datetime.fromisoformat(text)
        read = (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("Give an instant such as 2026-01-31T12:00:00Z.") from None
    return within_reach(read)


def within_reach(at: datetime) -> datetime:
    if not EARLIEST <= at <= LATEST:
        raise ValueError("The instant lies too far away.")
    return at


def claims(members: Members) -> dict[str, Any]:
    """The standard claims, by their names on the wire."""
    members.require_known((*RULES, "address", "phone_number_verified"))
    found: dict[str, Any] = {name: members.ruled(name, rule) for name, rule in RULES.items()}
    if (address := members.inner("address")) is not None:
        address.require_known(tuple(ADDRESS_RULES))
        parts = {name: address.ruled(name, rule) for name, rule in ADDRESS_RULES.items()}
        found["address"] = {name: part for name, part in parts.items() if part is not None} or None
    if "phone_number_verified" in members and found["phone_number"]:
        found["phone_number_verified"] = members.flag("phone_number_verified")
    return {name: value for name, value in found.items() if value is not None}


def passable_name(*candidates: str | None) -> str:
    """The first that an account may have as its name: other systems have other rules, or no name at all."""
    for candidate in filter(None, candidates):
        try:
            return account_rules.name(candidate)
        except ValueError:
            continue
    return "User"


def passable_claims(**candidates: str | None) -> dict[str, str]:
    """Those that may be told of a user here; others are left behind."""
    found = {}
    for name, candidate in candidates.items():
        try:
            if candidate:
                found[name] = RULES[name](candidate)
        except ValueError:
            continue
    return found


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ValueError("Give a UUID, or leave it out.") from None
