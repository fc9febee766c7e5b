"""Which presented redirect URI is a registered one (group RU)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from idp.domain.clients.clients import Client
from idp.domain.clients.redirect_uris import redirect_uri_matches

REGISTERED = "https://a.example/cb?tenant=1"
WEB = Client(client_id="web", name="Web", redirect_uris=(REGISTERED, "http://127.0.0.1:3000/cb"))
LOOPBACK = ("http://127.0.0.1/cb?x=1", "http://[::1]:9000/cb", "http://127.0.0.1:80", "http://localhost:3000/cb")
NATIVE = replace(WEB, application_type="native", redirect_uris=(*LOOPBACK, REGISTERED))


def test_a_registered_one_is_taken() -> None:
    assert redirect_uri_matches(WEB, REGISTERED)
    assert redirect_uri_matches(NATIVE, "http://localhost:3000/cb")


@pytest.mark.parametrize(
    "presented",
    [
        *("", "https://a.example/cb", REGISTERED + "/", REGISTERED + "&x=1", REGISTERED + "#f", REGISTERED + "#"),
        *("HTTPS://a.example/cb?tenant=1", "https://A.example/cb?tenant=1", "https://a.example/CB?tenant=1"),
        *("https://a.example:443/cb?tenant=1", "https://a.example./cb?tenant=1", "https://aXexample/cb?tenant=1"),
        *("https://a.example/%63b?tenant=1", "https://a.example/x/../cb?tenant=1", "https://a.example//cb?tenant=1"),
        *("https://a.example/..;/cb?tenant=1", "https://a.example\\cb?tenant=1", "https://a.example/cb?tenant=%31"),
        *("https://evil@a.example/cb?tenant=1", "https://a.example@evil/cb?tenant=1", "//a.example/cb?tenant=1"),
        *("http://a.example/cb?tenant=1", "https://b.a.example/cb?tenant=1", "https://a.example.evil/cb?tenant=1"),
        *(" " + REGISTERED, REGISTERED + "\n", REGISTERED + "\t", REGISTERED + "\0", "https://a。example/cb?tenant=1"),
        *("http://127.0.0.1:3001/cb", "http://127.0.0.1/cb", "http://localhost:3000/cb", "http://[::1]:3000/cb"),
    ],
)
def test_anything_else_is_not(presented: str) -> None:
    """RU1, RU7."""
    assert not redirect_uri_matches(WEB, presented)


@pytest.mark.parametrize(
    "presented",
    ["http://127.0.0.1:49152/cb?x=1", "http://127.0.0.1/cb?x=1", "http://[::1]/cb", "http://127.0.0.1:1"],
)
def test_a_native_client_listens_on_any_port_of_a_loopback_address(presented: str) -> None:
    """RU3: RFC 8252, section 7.3."""
    assert redirect_uri_matches(NATIVE, presented)


@pytest.mark.parametrize(
    "presented",
    [
        *("http://localhost:3001/cb", "http://127.0.0.2:80/cb?x=1", "http://127.1/cb?x=1", "http://[::2]:9000/cb"),
        *("http://127.0.0.1:80/cb", "http://127.0.0.1:80/cb?x=1&y=2", "http://127.0.0.1:80/cb?x=1#f", "http://[::1]/"),
        *("http://127.0.0.1:80@evil.example/cb?x=1", "http://127.0.0.1:/cb?x=1", "http://127.0.0.1:080/cb?x=1"),
        *("https://127.0.0.1:80/cb?x=1", "HTTP://127.0.0.1:80/cb?x=1", "http://127.0.0.1.evil.example/cb?x=1"),
        *("http://127.0.0.1:100000/cb?x=1", "http://127.0.0.1:٣/cb?x=1", "http://127.0.0.1:80\\@evil/cb?x=1"),
        *("http://127.0.0.1:80/cb?x=1\n", "http://127.0.0.1:80x/cb?x=1", "https://a.example:444/cb?tenant=1"),
    ],
)
def test_only_the_port_is_free(presented: str) -> None:
    """RU3; fosite CVE-2020-15233."""
    assert not redirect_uri_matches(NATIVE, presented)


PARTS = some.sampled_from(
    [
        *"/:@?#%.\\&=",
        "http",
        "https",
        "://",
        "127.0.0.1",
        "[::1]",
        "a.example",
        "/cb",
        "tenant=1",
        "?x=1",
        ":80",
        "evil",
    ]
)


@given(some.lists(PARTS, max_size=12).map("".join) | some.text(max_size=60))
def test_no_other_uri_than_a_registered_one_is_taken(presented: str) -> None:
    """RU9."""
    assert redirect_uri_matches(WEB, presented) == (presented in WEB.redirect_uris)
