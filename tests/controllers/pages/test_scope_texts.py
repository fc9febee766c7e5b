"""The page that asks for consent says what each scope means, in words."""

from __future__ import annotations

import pytest
from browser.page_samples import SAMPLES

from idp.controllers.pages.rendering import Pages
from idp.domain.tokens.scopes import ADVERTISED
from idp.gateways.templates import templates_folder


@pytest.mark.parametrize(("scope", "by_name"), [*((scope, False) for scope in ADVERTISED), ("photos:read", True)])
def test_scopes_of_our_own_are_described_and_those_of_clients_named(scope: str, by_name: bool) -> None:
    values = next(iter(SAMPLES["consent"].values())) | {"scopes": [scope]}

    page = Pages([templates_folder()]).render("consent", **values)

    assert (f"<code>{scope}</code>" in page) is by_name
