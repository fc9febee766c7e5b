"""The rules for what an account may have."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest

from idp.domain.accounts.users import LONGEST_ADDRESS, canonical_email
from idp.services.accounts import account_rules


@pytest.mark.parametrize("rule", [account_rules.email, canonical_email])
def test_an_address_that_is_far_too_long_is_never_normalised(
    rule: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DS8: 32,000 combining marks, which fit into one body, would hold every other request for most of a second."""
    normalised: list[int] = []
    normalize = unicodedata.normalize
    monkeypatch.setattr(
        unicodedata, "normalize", lambda form, text: (normalised.append(len(text)), normalize(form, text))[1]
    )
    marks = "\u0316\u0301" * 16_000

    for address in ("ada@example.com", f"a{marks}@example.com"):
        try:
            rule(address)
        except ValueError as fault:
            assert "254" in str(fault)

    assert 0 < max(normalised) <= LONGEST_ADDRESS
