"""The server of mails, their sender, and the collector of traces."""

import pytest
from environments import faults, value

from idp.settings import load


def test_a_mail_server_is_an_smtp_url():
    for text in ("smtp://localhost", "smtp://user:p%40ss@mail:587", "smtps://mail:465/"):
        assert value("IDP_SMTP_URL", text) == text
    for text in ("mail", "http://mail", "smtp://", "smtp://a,b", "smtp://mail/box", "smtp://mail:0"):
        assert faults({"IDP_SMTP_URL": text})[0].startswith("IDP_SMTP_URL: must be `smtp://")


def test_the_sender_of_mails_is_an_address_with_or_without_a_name():
    for text in (
        "idp@example.com",
        "Sign in <idp@example.com>",
        "<idp@example.com>",
        "ACME, Inc. <a@bücher.example>",
        '"A, B" <a@b>',
    ):
        assert value("IDP_MAIL_FROM", text) == text
    for text in (
        "idp",
        "a@b, c@d",
        "Name <idp>",
        "x\r\nBcc: all@example.com <a@b>",
        "a@b\nBcc: c@d",
        "a@-\u00bd\u0332.example",
    ):
        assert faults({"IDP_MAIL_FROM": text})[0].startswith("IDP_MAIL_FROM: must be an e-mail address")


@pytest.mark.parametrize(
    ("issuer", "sender"),
    [
        ("https://id.example.com/auth", "no-reply@id.example.com"),
        ("http://10.0.0.1:8000", "no-reply@localhost"),
        ("http://[::1]:8000", "no-reply@localhost"),
    ],
)
def test_the_default_sender_has_the_host_of_the_issuer(issuer, sender):
    assert load({"IDP_ISSUER": issuer}).mail_from == sender


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "IDP_OTEL_ENDPOINT",
            ("http://localhost:4318", "https://collector.example/otlp/"),
            (
                "localhost:4318",
                "grpc://localhost:4317",
                "https://user:canary@c.example",
                "http://c.example/?key=canary",
            ),
        ),
        ("IDP_OTEL_SERVICE_NAME", ("idp", "idp-eu"), ("two words", "x" * 61)),
    ],
)
def test_a_collector_is_an_address_and_a_service_a_word(name, good, bad):
    for text in good:
        assert value(name, text) == text
    for text in bad:
        (fault,) = faults({name: text})
        assert fault.startswith(f"{name}: must be ")
        assert name != "IDP_OTEL_ENDPOINT" or "@" not in text or "canary" not in fault


def test_the_share_of_traces_is_from_none_to_all():
    assert [value("IDP_OTEL_SAMPLE_RATIO", text) for text in ("0", "0.05", "1", "1.0")] == [0.0, 0.05, 1.0, 1.0]
    for text in ("-1", "1.1", "2", "5%", "1e-3", ".5", "nan"):
        assert "a number from 0 to 1" in faults({"IDP_OTEL_SAMPLE_RATIO": text})[0]


def test_headers_for_the_collector_are_pairs():
    pairs = value("IDP_OTEL_HEADERS", "authorization=Bearer abc=, x-team=id")

    assert pairs == (("authorization", "Bearer abc="), ("x-team", "id"))
    for text in ("authorization", "=x", "a b=c", "a=", "a=line\nbreak"):
        (fault,) = faults({"IDP_OTEL_HEADERS": text})
        assert fault.startswith("IDP_OTEL_HEADERS: must be ")
