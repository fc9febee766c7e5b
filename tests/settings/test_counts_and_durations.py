"""Settings that are a duration, a limit, a number or one of a few words."""

from datetime import timedelta

import pytest
from environments import FOUR_KILOBYTES, faults, value

from idp.settings import LimitSetting


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1h", timedelta(hours=1)),
        ("24h", timedelta(days=1)),
        ("1d", timedelta(days=1)),
        ("1", timedelta(seconds=1)),
        (" 90 ", timedelta(seconds=90)),
    ],
)
def test_a_duration_is_a_number_with_a_unit_or_of_seconds(text, expected):
    assert value("IDP_ACCESS_TOKEN_TTL", text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "25h",
        "2d",
        "-1s",
        "1.5h",
        "15M",
        "15 m",
        "1h30m",
        "s",
        "fifteen",
        "٩s",
        "1_0",
        "999999999d",
        FOUR_KILOBYTES,
    ],
)
def test_a_duration_out_of_bounds_or_form_is_a_fault_that_says_what_is_allowed(text):
    (fault,) = faults({"IDP_ACCESS_TOKEN_TTL": text})

    assert fault.startswith("IDP_ACCESS_TOKEN_TTL: must be a duration such as `90s`, `15m`, `1h` or `7d`")
    assert "from 1s to 24h" in fault


def test_the_refresh_grace_may_be_nothing_and_five_minutes_at_most():
    assert value("IDP_REFRESH_GRACE", "0") == timedelta(0)
    assert value("IDP_REFRESH_GRACE", "5m") == timedelta(minutes=5)
    assert faults({"IDP_REFRESH_GRACE": "301s"})


def test_repetitions_of_refresh_tokens_from_elsewhere_may_be_none():
    assert value("IDP_REFRESH_REPEATS", "0") == 0
    assert faults({"IDP_REFRESH_REPEATS": "-1"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5/15m", LimitSetting(5, timedelta(minutes=15))),
        ("1/1", LimitSetting(1, timedelta(seconds=1))),
        ("1000000/7d", LimitSetting(1_000_000, timedelta(days=7))),
        ("off", None),
    ],
)
def test_a_limit_is_a_count_in_a_window_or_off(text, expected):
    assert value("IDP_LIMIT_LOGIN", text) == expected
    assert value("IDP_LIMIT_CLIENT", text) == expected


@pytest.mark.parametrize(
    "text", ["0/1m", "5", "5/", "/1m", "5/0s", "5/8d", "5/15m/1", "-5/1m", "1000001/1m", "OFF", "5 per m"]
)
def test_any_other_limit_is_a_fault_that_says_what_is_allowed(text):
    (fault,) = faults({"IDP_LIMIT_LOGIN": text})

    assert "IDP_LIMIT_LOGIN: must be `N/window` such as `5/15m`" in fault
    assert "or `off`" in fault


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("IDP_WORKERS", ("1", "512"), ("0", "513", "-1", "two", "1.0", "1_0", "+1", "٣", FOUR_KILOBYTES)),
        ("IDP_DATABASE_POOL", ("2", "1000"), ("1", "1001")),
        ("IDP_BCRYPT_ROUNDS", ("4", "16"), ("3", "17")),
        ("IDP_KEY_BITS", ("2048", "3072", "4096"), ("1024", "2049", "8192")),
        ("IDP_LOCKOUT_ATTEMPTS", ("1", "1000000"), ("0", "1000001")),
    ],
)
def test_a_number_has_bounds(name, good, bad):
    for text in good:
        assert value(name, text) == int(text)
    for text in bad:
        assert faults({name: text})[0].startswith(f"{name}: must be ")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("IDP_ENV", ("development",), ("prod", "Development")),
        ("IDP_LOG_FORMAT", ("auto", "json", "console"), ("xml", "JSON")),
    ],
)
def test_a_choice_is_one_of_its_words(name, good, bad):
    for text in good:
        assert value(name, text) == text
    for text in bad:
        assert f"given: {text}" in faults({name: text})[0]
