"""Whatever is read from a request is read or refused: nothing else is raised, however it was made up (IN11)."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import pytest
from authlib.oauth2 import OAuth2Error
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world import World

from idp.domain.clients.redirect_uris import redirect_uri_fault
from idp.domain.errors import InvalidToken, Refusal
from idp.domain.tokens.scopes import granted_scope
from idp.edge.addresses import Addresses
from idp.edge.bodies import decoded_form, decoded_json
from idp.services.clients.client_authentication import presented_method

# What parsers stumble over, alone and in the middle of other text.
ODD = st.sampled_from(
    [*'{}[]",:\\/%&=;.+-_ ~@#?*', "\0", "\ud800", "\\ud800", "%00", "%ff", "e30", "1e999", "é", "\u0301"]
)
TEXT = st.lists(st.one_of(ODD, st.text(max_size=8)), max_size=30).map("".join)
BYTES = st.one_of(st.binary(max_size=200), TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
).map(lambda value: json.dumps(value).encode())
PROXIES = Addresses([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


def client_of(header: str) -> object:
    request: Any = SimpleNamespace(headers={"Authorization": header}, payload=SimpleNamespace(data={}))
    return presented_method(request)


PARSERS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], object]]] = {
    "json": (st.one_of(BYTES, JSON), lambda given: decoded_json(given, "application/json")),
    "form": (BYTES, lambda given: decoded_form(given, "application/x-www-form-urlencoded")),
    "media type": (TEXT, lambda given: decoded_json(b"{}", given)),
    "client credentials": (TEXT.map(lambda text: f"Basic {text}"), client_of),
    "scope": (TEXT, lambda given: granted_scope(given, "openid profile")),
    "redirect URI": (st.one_of(TEXT, TEXT.map(lambda text: f"https://a.example{text}")), redirect_uri_fault),
    "forwarded address": (BYTES, lambda given: PROXIES.of("10.0.0.1", [given])),
}


def examined(parser: str, examples: int) -> None:
    strategy, parse = PARSERS[parser]

    @settings(max_examples=examples, database=None, deadline=None, derandomize=True)
    @given(strategy)
    def each(value: Any) -> None:
        with suppress(Refusal, OAuth2Error):
            parse(value)

    each()


@pytest.mark.parametrize("examples", [300, pytest.param(50_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("parser", PARSERS)
def test_a_parser_reads_or_refuses(parser: str, examples: int) -> None:
    """IN11, IN14: also what no client sends."""
    examined(parser, examples)


@settings(max_examples=300, database=None, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(TEXT, st.tuples(TEXT, TEXT, TEXT).map(".".join)))
def test_a_token_that_was_made_up_is_refused(world: World, text: str) -> None:
    """IN11, JW3: before any store is asked, so that nothing needs to be waited for."""
    with pytest.raises(InvalidToken):
        world.services.access_tokens.bearer(text).send(None)


@settings(max_examples=300, database=None, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(TEXT, TEXT.map(lambda text: f"idp_rt_{text}")))
def test_a_refresh_token_that_was_made_up_is_none(world: World, text: str) -> None:
    """IN11, RF20."""
    assert world.tokens.read(text) is None
