"""The environment: what is read, what is refused, and that no secret is ever shown."""

import dataclasses
import subprocess
import sys
from datetime import timedelta
from importlib.metadata import version
from ipaddress import ip_network
from pathlib import Path

import pytest

from idp.settings import LimitSetting, Settings, SettingsError, load
from idp.settings.document import document
from idp.settings.fields import SETTINGS

SECRET = "canary-secret-" + "s" * 32
OLDER_SECRET = "canary-older-" + "o" * 32
PRODUCTION = {
    "IDP_ENV": "production",
    "IDP_ISSUER": "https://id.example.com",
    "IDP_SECRET": SECRET,
    "IDP_DATABASE_URL": "postgresql://idp:canary-database@db/idp",
    "IDP_REDIS_URL": "rediss://:canary-redis@cache/0",
}
SECRETS = {
    "IDP_SECRET": SECRET,
    "IDP_ADMIN_PASSWORD": "canary-Admin-1",
    "IDP_DATABASE_URL": "postgresql://idp:canary-database@db/idp",
    "IDP_MIGRATION_DATABASE_URL": "postgresql://owner:canary-owner@db/idp",
    "IDP_DATABASE_REPLICA_URLS": "postgresql://idp:canary-replica@db2/idp",
    "IDP_REDIS_URL": "redis://:canary-redis@cache/0",
    "IDP_SMTP_URL": "smtp://idp:canary-mail@mail:587",
    "IDP_METRICS_TOKEN": "canary-metrics",
    "IDP_REGISTRATION_TOKEN": "canary-registration-of-32-letters",
    "IDP_OTEL_HEADERS": "authorization=canary-collector",
}
FOUR_KILOBYTES = "9" * 4_096


def faults(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as raised:
        load(environ)
    assert str(raised.value) == "\n".join(raised.value.faults)
    return raised.value.faults


def value(name: str, text: str):
    setting = next(setting for setting in SETTINGS if setting.name == name)
    return getattr(load({name: text}), "secrets" if name == "IDP_SECRET" else setting.attribute)


def test_an_empty_environment_gives_the_defaults_of_the_contract():
    settings = load({"PATH": "/usr/bin"})

    assert settings == Settings(
        env="development",
        issuer="http://localhost:8000",
        bind_host="127.0.0.1",
        bind_port=8000,
        bind_is_default=True,
        workers=1,
        drain=timedelta(),
        release=version("idp"),
        log_format="auto",
        database_url=None,
        migration_database_url=None,
        database_replica_urls=(),
        database_replica_lag=timedelta(seconds=5),
        database_pool=10,
        redis_url=None,
        embedded=None,
        data_dir=Path(".idp"),
        keys_dir=Path("keys"),
        key_bits=2048,
        keys_provision=True,
        jwks_max_age=timedelta(minutes=5),
        secrets=(),
        admin_email="admin@localhost.test",
        admin_password=None,
        access_token_ttl=timedelta(minutes=15),
        refresh_token_ttl=timedelta(days=7),
        refresh_grace=timedelta(seconds=10),
        session_ttl=timedelta(hours=12),
        session_idle=timedelta(hours=2),
        session_remembered=timedelta(days=30),
        verified_email_required=False,
        bcrypt_rounds=12,
        lockout_attempts=5,
        lockout_duration=timedelta(minutes=15),
        limit_login=LimitSetting(5, timedelta(minutes=15)),
        limit_register=LimitSetting(3, timedelta(hours=1)),
        limit_refresh=LimitSetting(10, timedelta(minutes=1)),
        limit_api=LimitSetting(100, timedelta(minutes=15)),
        limit_admin=LimitSetting(50, timedelta(hours=1)),
        limit_client=None,
        limit_authorize=LimitSetting(1000, timedelta(minutes=5)),
        registration_token=None,
        outgoing_private=None,
        trusted_proxies=(),
        cors_origins=(),
        smtp_url=None,
        mail_from="no-reply@localhost",
        metrics_token=None,
        audit_retention=timedelta(days=365),
        otel_endpoint=None,
        otel_headers=(),
        otel_service_name="idp",
        otel_sample_ratio=1.0,
        brand_name="idp",
        brand_logo_url=None,
        brand_color="#2347c5",
        brand_links=(),
        templates_dir=None,
    )


def test_an_empty_variable_counts_as_not_given():
    assert load({setting.name: " " for setting in SETTINGS}) == load({})


def test_settings_cannot_be_changed_but_copied_with_another_value():
    settings = load({})

    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.workers = 2
    assert dataclasses.replace(settings, workers=2).workers == 2
    assert settings.workers == 1


# --- values


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


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("TRUE", True), ("false", False)])
def test_embedded_is_true_or_false(text, expected):
    assert load(PRODUCTION | {"IDP_ENV": "development", "IDP_EMBEDDED": text}).embedded is expected
    assert faults({"IDP_EMBEDDED": "yes"})[0].startswith("IDP_EMBEDDED: must be `true` or `false`")


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://idp:p%40ss@db:5432/idp?sslmode=require",
        "postgres://db/idp",
        "postgresql://db1,db2:5433/idp",
        "postgresql://[::1]:5432/idp",
        "postgresql:///idp?host=/run/postgresql",
        "postgresql://idp@%2Frun%2Fpostgresql/idp",
        "postgresql://db1,db2/idp?target_session_attrs=read-write&sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "postgresql://pooler:6432/idp?statement_cache_size=0",
    ],
)
def test_a_database_url_is_taken_as_it_is(text):
    assert value("IDP_DATABASE_URL", text) == text
    assert value("IDP_MIGRATION_DATABASE_URL", text) == text


@pytest.mark.parametrize(
    "text",
    [
        "mysql://idp:canary@db/idp",
        "postgresql://idp:canary#x@db/idp",
        "postgresql://idp:canary/x@db/idp",
        "postgresql://idp:12/canary@db/idp",
        "postgresql://idp:canary?x@db/idp",
        "postgresql://idp:can@ary@db/idp",
        "postgresql://idp:canary @db/idp",
        "postgresql://idp:canary@db:99999/idp",
        "postgresql://idp:canary@[zz]/idp",
        "postgresql://idp:canary@a,,b/idp",
        "canary",
    ],
)
def test_any_other_database_url_is_a_fault_that_does_not_show_it(text):
    for name in ("IDP_DATABASE_URL", "IDP_MIGRATION_DATABASE_URL", "IDP_DATABASE_REPLICA_URLS"):
        (fault,) = faults({name: text})
        assert fault.startswith(f"{name}: must be ")
        assert "percent-encoded" in fault
        assert "can" not in fault


@pytest.mark.parametrize(
    "query", ["sslmod=canary", "sslmode=canary", "statement_cache_size=canary", "target_session_attrs=prefer-standby"]
)
def test_a_misspelt_parameter_of_a_database_url_is_a_fault_and_not_ignored(query):
    for name in ("IDP_DATABASE_URL", "IDP_MIGRATION_DATABASE_URL", "IDP_DATABASE_REPLICA_URLS"):
        (fault,) = faults({name: f"postgresql://db/idp?{query}"})
        assert "`sslmode`" in fault
        assert "canary" not in fault


def test_replicas_are_a_list():
    assert value("IDP_DATABASE_REPLICA_URLS", "postgres://a/idp, postgres://b/idp") == (
        "postgres://a/idp",
        "postgres://b/idp",
    )


@pytest.mark.parametrize(
    "text",
    [
        "redis://cache",
        "redis://user:p%2Fss@cache:6379/15",
        "rediss://cache:6380/0?ssl_ca_certs=/etc/ca.pem",
        "unix:///run/valkey.sock?db=1",
        "unix://:pass@/run/valkey.sock",
        "redis+sentinel://h1:26379,h2/main",
        "redis+sentinel://:pass@h1,h2/main/0",
        "redis+cluster://h1,h2:7001,[::1]:7002",
        "rediss+sentinel://h1/main?ssl_ca_certs=/etc/ca.pem&sentinel_password=s",
        "rediss+cluster://h1?ssl_ca_certs=/etc/ca.pem",
    ],
)
def test_a_redis_url_of_every_kind_is_taken_as_it_is(text):
    assert value("IDP_REDIS_URL", text) == text


@pytest.mark.parametrize(
    "text",
    [
        "http://canary",
        "redis://",
        "redis://canary/database",
        "redis://canary,b/0",
        "redis://:canary#@cache/0",
        "unix://canary.sock",
        "unix:///",
        "redis+sentinel://canary1,canary2",
        "redis+sentinel://canary/",
        "redis+cluster://canary/3",
        "redis+cluster://",
        "rediss+cluster://",
        "rediss+sentinel://canary",
    ],
)
def test_any_other_redis_url_is_a_fault_that_does_not_show_it(text):
    (fault,) = faults({"IDP_REDIS_URL": text})

    assert fault.startswith("IDP_REDIS_URL: must be `redis://host:6379/0`")
    assert "canary" not in fault


def test_a_mail_server_is_an_smtp_url():
    for text in ("smtp://localhost", "smtp://user:p%40ss@mail:587", "smtps://mail:465/"):
        assert value("IDP_SMTP_URL", text) == text
    for text in ("mail", "http://mail", "smtp://", "smtp://a,b", "smtp://mail/box", "smtp://mail:0"):
        assert faults({"IDP_SMTP_URL": text})[0].startswith("IDP_SMTP_URL: must be `smtp://")


def test_the_sender_of_mails_is_an_address_with_or_without_a_name():
    for text in ("idp@example.com", "Sign in <idp@example.com>", "<idp@example.com>"):
        assert value("IDP_MAIL_FROM", text) == text
    for text in ("idp", "a@b, c@d", "Name <idp>", "x\r\nBcc: all@example.com <a@b>", "a@b\nBcc: c@d"):
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


def test_the_first_administrator_needs_an_address_and_a_password_that_the_policy_allows():
    settings = load({"IDP_ADMIN_EMAIL": "root@example.com", "IDP_ADMIN_PASSWORD": " Correct horse 1 "})

    assert (settings.admin_email, settings.admin_password) == ("root@example.com", " Correct horse 1 ")
    assert "an e-mail address" in faults({"IDP_ADMIN_EMAIL": "root"})[0]
    (fault,) = faults({"IDP_ADMIN_PASSWORD": "canary-admin"})
    assert fault == "IDP_ADMIN_PASSWORD: The password needs an upper-case letter. The password needs a digit."


def test_a_registration_token_is_as_long_as_a_secret():
    assert value("IDP_REGISTRATION_TOKEN", "a" * 32) == "a" * 32
    for text in ("a" * 31, "a" * 31 + " ", "a" * 20 + " " + "a" * 20):
        (fault,) = faults({"IDP_REGISTRATION_TOKEN": text})
        assert "at least 32" in fault
        assert text not in fault


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


def test_a_metrics_token_has_the_form_of_a_bearer_token():
    assert value("IDP_METRICS_TOKEN", "abc.DEF-123==") == "abc.DEF-123=="
    (fault,) = faults({"IDP_METRICS_TOKEN": "canary token"})
    assert "RFC 6750" in fault
    assert "canary" not in fault


def test_a_list_of_secrets_keeps_its_order_and_counts_bytes():
    assert value("IDP_SECRET", f"{SECRET}, {OLDER_SECRET}") == (SECRET.encode(), OLDER_SECRET.encode())
    assert value("IDP_SECRET", "é" * 16) == (("é" * 16).encode(),)


@pytest.mark.parametrize("text", ["canary", "s" * 31, f"{SECRET},canary", f"{SECRET},", ","])
def test_a_short_secret_is_a_fault_with_its_remedy(text):
    (fault,) = faults({"IDP_SECRET": text})

    assert fault == "IDP_SECRET: each secret must have at least 32 bytes; `openssl rand -hex 32` makes one."


def test_the_same_secret_twice_is_a_fault():
    (fault,) = faults({"IDP_SECRET": f"{SECRET},{SECRET}"})

    assert fault == "IDP_SECRET: names the same secret twice; each must differ."


def test_bytes_that_are_no_text_are_a_fault_and_no_crash():
    found = faults({"IDP_SECRET": "\udcff" * 32, "IDP_DATA_DIR": "\udcff", "IDP_\udcff": "x"})

    assert len(found) == 3
    "\n".join(found).encode()


# --- the hosted pages


@pytest.mark.parametrize(("text", "expected"), [("#2347c5", "#2347c5"), ("#A00", "#aa0000"), ("#767676", "#767676")])
def test_a_brand_colour_is_one_that_carries_white_text(text, expected):
    assert value("IDP_BRAND_COLOR", text) == expected


def test_a_pale_brand_colour_is_a_fault_that_names_one_dark_enough():
    (fault,) = faults({"IDP_BRAND_COLOR": "#ffcc00"})

    assert fault.startswith("IDP_BRAND_COLOR: white text on #ffcc00 has a contrast of 1.5:1 and needs 4.5:1; #")
    assert value("IDP_BRAND_COLOR", fault.rpartition("; ")[2].partition(" ")[0])


@pytest.mark.parametrize("text", ["2347c5", "#12", "#12345g", "blue", "#fff;}", "rgb(0,0,0)"])
def test_any_other_brand_colour_is_a_fault(text):
    assert "must be a colour such as `#2347c5`" in faults({"IDP_BRAND_COLOR": text})[0]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "IDP_BRAND_LOGO_URL",
            ("https://cdn.example/logo.svg", "/assets/logo.png"),
            (
                "http://cdn.example/l.svg",
                "//cdn.example/l.svg",
                "/\\cdn",
                "logo.svg",
                "javascript:alert(1)",
                "https://a b/",
            ),
        ),
        ("IDP_BRAND_NAME", ("Acme", "Größe & Söhne"), ("a\nb", "x" * 61)),
    ],
)
def test_name_and_logo_of_the_brand_are_what_a_page_can_show(name, good, bad):
    for text in good:
        assert value(name, text) == text
    for text in bad:
        assert faults({name: text})[0].startswith(f"{name}: must be ")


def test_links_of_the_brand_are_labels_with_addresses():
    assert value("IDP_BRAND_LINKS", "Privacy=https://a.example/p?x=1, Terms of use=/terms") == (
        ("Privacy", "https://a.example/p?x=1"),
        ("Terms of use", "/terms"),
    )
    for text in ("https://a.example", "=https://a.example", "X=javascript:alert(1)", "X=http://a.example"):
        assert faults({"IDP_BRAND_LINKS": text})


def test_a_folder_of_templates_exists(tmp_path):
    assert value("IDP_TEMPLATES_DIR", str(tmp_path)) == tmp_path
    assert "must be a folder that exists" in faults({"IDP_TEMPLATES_DIR": str(tmp_path / "none")})[0]


# --- secrets in files


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_can_be_given_as_a_file(name, tmp_path):
    file = tmp_path / "secret"
    file.write_text(SECRETS[name] + "\n")

    assert load({f"{name}_FILE": str(file)}) == load({name: SECRETS[name]})


def test_exactly_these_settings_are_secret():
    assert {setting.name for setting in SETTINGS if setting.secret} == set(SECRETS)


def test_a_secret_given_twice_is_a_fault(tmp_path):
    file = tmp_path / "secret"
    file.write_text(SECRET)

    (fault,) = faults({"IDP_SECRET": SECRET, "IDP_SECRET_FILE": str(file)})

    assert fault == "IDP_SECRET: given twice, also as IDP_SECRET_FILE; keep one."


def test_an_empty_variable_beside_a_file_is_no_second_secret(tmp_path):
    file = tmp_path / "secret"
    file.write_text(SECRET)

    assert load({"IDP_SECRET": "", "IDP_SECRET_FILE": str(file)}).secrets == (SECRET.encode(),)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "No such file"), (b"", "it is empty"), (b"\r\n", "it is empty"), (b"canary\xff", "not UTF-8")],
)
def test_a_file_that_cannot_be_used_is_a_fault(content, problem, tmp_path):
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)

    (fault,) = faults({"IDP_METRICS_TOKEN_FILE": str(file)})

    assert fault.startswith("IDP_METRICS_TOKEN_FILE: the file ")
    assert problem in fault
    assert "canary" not in fault


def test_a_folder_or_a_nul_as_a_secrets_file_is_a_fault(tmp_path):
    assert "directory" in faults({"IDP_SECRET_FILE": str(tmp_path)})[0]
    assert "no path" in faults({"IDP_SECRET_FILE": "a\0b"})[0]


def test_a_fault_in_a_secrets_file_names_the_file_variable(tmp_path):
    file = tmp_path / "secret"
    file.write_text("canary")

    (fault,) = faults({"IDP_SECRET_FILE": str(file)})

    assert fault.startswith("IDP_SECRET_FILE: each secret must have")


# --- nothing secret is shown


def test_no_secret_is_in_the_text_of_settings():
    settings = load(SECRETS | {"IDP_SECRET": f"{SECRET},{OLDER_SECRET}"})

    for text in (repr(settings), str(settings), f"{settings}"):
        assert "canary" not in text
        assert text.count("'***'") == len(SECRETS)
        assert "workers=1" in text


def test_settings_say_which_secrets_are_missing():
    assert "database_url=None" in repr(load({}))
    assert "'***'" not in repr(load({}))


def test_no_secret_is_in_the_text_of_faults():
    broken = {name: f"canary\n{text}" for name, text in SECRETS.items()} | {
        "IDP_SECRET": "canary",
        "IDP_SECRT": "canary",
    }

    with pytest.raises(SettingsError) as raised:
        load(broken | {"IDP_ADMIN_PASSWORD": "canary"})

    assert len(raised.value.faults) == len(SECRETS) + 1
    assert "canary" not in str(raised.value) + repr(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


# --- unknown names, all faults at once


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("IDP_DATABSE_URL", "IDP_DATABASE_URL"),
        ("IDP_SECRETS", "IDP_SECRET"),
        ("IDP_ISSUER_FILE", "IDP_ISSUER"),
        ("IDP_SECRET_FIEL", "IDP_SECRET_FILE"),
    ],
)
def test_an_unknown_name_is_a_fault_that_names_the_nearest(name, nearest):
    assert faults({name: "canary"}) == (f"{name}: there is no such setting; the nearest is {nearest}.",)


def test_even_a_name_like_no_other_is_told_a_nearest():
    assert "the nearest is IDP_" in faults({"IDP_": "x"})[0]


def test_names_without_the_prefix_are_not_ours():
    assert load({"MY_IDP_ENV": "x", "idp_env": "x", "IDPENV": "x"}) == load({})


def test_all_faults_are_told_at_once_each_on_its_line():
    found = faults(
        {
            "IDP_ENV": "production",
            "IDP_BIND": "x",
            "IDP_WORKERS": "x",
            "IDP_DATABASE_URL": "x",
            "IDP_CORS_ORIGINS": "*",
            "IDP_TYPO": "x",
        }
    )

    named = [fault.partition(":")[0] for fault in found]
    assert sorted(named) == sorted(
        [
            "IDP_TYPO",
            "IDP_BIND",
            "IDP_WORKERS",
            "IDP_DATABASE_URL",
            "IDP_CORS_ORIGINS",
            "IDP_ISSUER",
            "IDP_SECRET",
            "IDP_REDIS_URL",
        ]
    )
    assert all("\n" not in fault for fault in found)


# --- production


def test_production_starts_with_what_it_needs():
    settings = load(PRODUCTION)

    assert settings.env == "production"
    assert settings.bcrypt_rounds == 12


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"IDP_ISSUER": "http://id.example.com"}, "IDP_ISSUER"),
        ({"IDP_ISSUER": ""}, "IDP_ISSUER"),
        ({"IDP_SECRET": ""}, "IDP_SECRET"),
        ({"IDP_DATABASE_URL": ""}, "IDP_DATABASE_URL"),
        ({"IDP_REDIS_URL": ""}, "IDP_REDIS_URL"),
        ({"IDP_BCRYPT_ROUNDS": "9"}, "IDP_BCRYPT_ROUNDS"),
    ],
)
def test_production_refuses_what_is_unsafe_and_development_takes_it(change, name):
    (fault,) = faults(PRODUCTION | change)

    assert fault.startswith(f"{name}: ")
    assert "is refused in production; give " in fault
    assert load(PRODUCTION | change | {"IDP_ENV": "development"})


def test_production_takes_embedded_stores_that_were_asked_for():
    settings = load(PRODUCTION | {"IDP_DATABASE_URL": "", "IDP_REDIS_URL": "", "IDP_EMBEDDED": "true"})

    assert (settings.embedded, settings.database_url, settings.redis_url) == (True, None, None)


@pytest.mark.parametrize("env", ["development", "production"])
@pytest.mark.parametrize("missing", ["IDP_DATABASE_URL", "IDP_REDIS_URL"])
def test_no_store_and_no_embedded_one_is_refused_everywhere(env, missing):
    (fault,) = faults(PRODUCTION | {"IDP_ENV": env, "IDP_EMBEDDED": "false", missing: ""})

    assert fault.startswith(f"{missing}: `IDP_EMBEDDED=false` without ")


# --- the document


def test_the_document_is_what_the_table_says():
    stored = Path(__file__).parents[1] / "docs" / "configuration.md"

    assert stored.read_text() == document(), "run `make docs`"


def test_the_module_prints_the_document():
    printed = subprocess.run(
        [sys.executable, "-m", "idp.settings"], capture_output=True, text=True, check=True, timeout=60
    )

    assert printed.stdout == document()


def test_the_document_has_a_row_for_every_setting_and_the_file_of_every_secret():
    page = document()

    for setting in SETTINGS:
        assert page.count(f"\n| `{setting.name}` |") == 1
        assert (f"also as `{setting.file_name}`" in page) == setting.secret
