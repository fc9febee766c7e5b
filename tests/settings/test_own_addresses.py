"""Where the server listens, what it is called, and which pages and proxies it believes."""

from ipaddress import ip_network

import pytest
from environments import PRODUCTION, faults, value

from idp.settings import load


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("0.0.0.0:9000", "0.0.0.0", 9000),
        ("localhost:1", "localhost", 1),
        ("[::1]:8000", "::1", 8000),
        ("[0:0:0::1]:8000", "::1", 8000),
        (":65535", "0.0.0.0", 65535),
    ],
)
def test_bind_is_a_host_and_a_port(text, host, port):
    settings = load({"IDP_BIND": text})

    assert (settings.bind_host, settings.bind_port, settings.bind_is_default) == (host, port, False)


@pytest.mark.parametrize(
    "text", ["8000", "localhost", "::1:8000", "[::1]", "[x]:80", "h:0", "h:65536", "h:p", "a b:80", "http://h:80"]
)
def test_any_other_bind_is_a_fault(text):
    assert faults({"IDP_BIND": text})[0].startswith("IDP_BIND: must be `host:port`")


def test_the_default_issuer_follows_the_port():
    assert load({"IDP_BIND": "0.0.0.0:9000"}).issuer == "http://localhost:9000"
    assert load({"IDP_BIND": "0.0.0.0:80"}).issuer == "http://localhost"


@pytest.mark.parametrize(
    "text",
    [
        "https://id.example.com",
        "http://localhost:8000",
        "https://example.com/auth/realm-1",
        "https://example.com/a.b/.c/~d_e/...",
        "http://[::1]:8000",
        "http://10.0.0.1",
    ],
)
def test_an_issuer_is_taken_as_it_is(text):
    assert value("IDP_ISSUER", text) == text


@pytest.mark.parametrize(
    "text",
    [
        "https://id.example.com/",
        "https://id.example.com/a/",
        "https://id.example.com//a",
        "https://id.example.com/a//b",
        "https://id.example.com/.",
        "https://id.example.com/..",
        "https://id.example.com/a/../b",
        "https://id.example.com/./a",
        "https://id.example.com/%2e%2e/a",
        "https://id.example.com/%61",
        "https://id.example.com/a?b=c",
        "https://id.example.com/a#b",
        "https://id.example.com/a;b",
        "https://id.example.com/ä",
        "https://id.example.com?a=b",
        "https://id.example.com#a",
        "https://id.example.com:443",
        "http://localhost:80",
        "http://localhost:0",
        "http://localhost:65536",
        "https://ID.example.com",
        "https://",
        "https:///a",
        "https://a b",
        "http://[:::]:1",
        "id.example.com",
        "ftp://id.example.com",
        "javascript:alert(1)",
        "https://bücher.example",
    ],
)
def test_any_other_issuer_is_a_fault(text):
    assert faults({"IDP_ISSUER": text})[0].startswith("IDP_ISSUER: must be an `https://`")


def test_a_password_in_an_address_that_has_no_place_for_one_is_not_shown():
    for name in ("IDP_ISSUER", "IDP_CORS_ORIGINS"):
        assert "canary" not in faults({name: "https://user:canary@id.example.com"})[0]


def test_origins_are_exact_and_each_counts_once():
    assert value("IDP_CORS_ORIGINS", "https://b.example, http://localhost:3000,https://b.example") == (
        "https://b.example",
        "http://localhost:3000",
    )


@pytest.mark.parametrize(
    "text",
    [
        "https://a.example/",
        "https://a.example/x",
        "a.example",
        "null",
        "https://a.example:443",
        "https://A.example",
        "https://a.example,",
        ",",
    ],
)
def test_any_other_origin_is_a_fault(text):
    assert "an exact origin such as `https://app.example.com`" in faults({"IDP_CORS_ORIGINS": text})[0]


@pytest.mark.parametrize("environ", [{}, PRODUCTION])
@pytest.mark.parametrize("text", ["*", "https://*.example.com", "https://a.example,*"])
def test_a_wildcard_origin_is_refused_everywhere_with_its_remedy(environ, text):
    (fault,) = faults(environ | {"IDP_CORS_ORIGINS": text})

    assert fault.startswith("IDP_CORS_ORIGINS: a wildcard is refused")
    assert "credentials" in fault
    assert "list every origin by name" in fault


def test_trusted_proxies_are_networks():
    assert value("IDP_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.7,fd00::/8") == (
        ip_network("10.0.0.0/8"),
        ip_network("192.0.2.7/32"),
        ip_network("fd00::/8"),
    )


@pytest.mark.parametrize("text", ["10.0.0.1/8", "proxy", "10.0.0.0/33", "10.0.0.0/8,,", "*"])
def test_any_other_proxy_is_a_fault(text):
    assert faults({"IDP_TRUSTED_PROXIES": text})[0].startswith("IDP_TRUSTED_PROXIES: must be a comma-separated list")
