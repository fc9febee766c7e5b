"""Fields of a form under the rules of `idp.services.accounts.account_rules`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from idp.domain.errors import FieldError, ValidationFailed

LONGEST = 10_000


def checked(fields: Mapping[str, str], rules: Mapping[str, Callable[[str], str]]) -> dict[str, str]:
    """
    Each field of *rules* in the form to store. One that is missing counts as empty.

    Raises `ValidationFailed` with every fault.
    """
    found, faults = {}, []
    for name, rule in rules.items():
        try:
            found[name] = rule(fields.get(name, "")[:LONGEST])
        except ValueError as fault:
            faults.append(FieldError(name, str(fault)))
    if faults:
        raise ValidationFailed(faults)
    return found
