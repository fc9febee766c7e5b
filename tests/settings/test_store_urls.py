"""Where the stores are: URLs are taken as they are or refused, and never shown."""

import pytest
from environments import PRODUCTION, faults, value

from idp.settings import load


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
        "postgresql://db/idp?sslmode=require&channel_binding=require",
        "postgresql://db/idp?application_name=idp%20eu&connect_timeout=10&channel_binding=prefer",
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
    "query",
    [
        *("sslmod=canary", "sslmode=canary", "statement_cache_size=canary", "target_session_attrs=prefer-standby"),
        *("channel_binding=canary", "connect_timeout=canary", "application_name=%0acanary"),
    ],
)
def test_a_misspelt_parameter_of_a_database_url_is_a_fault_and_not_ignored(query):
    for name in ("IDP_DATABASE_URL", "IDP_MIGRATION_DATABASE_URL", "IDP_DATABASE_REPLICA_URLS"):
        (fault,) = faults({name: f"postgresql://db/idp?{query}"})
        assert f"the parameter `{query.partition('=')[0]}` " in fault
        assert "`sslmode`" in fault
        assert "canary" not in fault


@pytest.mark.parametrize(
    ("url", "parameter"),
    [
        ("redis://cache?ssl=canary", "ssl"),
        ("redis://cache?ssl_ca_certs=canary", "ssl_ca_certs"),  # it would be sent in clear
        ("rediss://cache?ssl_ca_cert=canary", "ssl_ca_cert"),
        ("rediss://cache?ssl_cert_reqs=canary", "ssl_cert_reqs"),
        ("redis://cache?db=canary", "db"),
        ("redis://cache?socket_timeout=canary", "socket_timeout"),
        ("unix:///run/valkey.sock?database=canary", "database"),
        ("redis+sentinel://h1/main?sentinel_pasword=canary", "sentinel_pasword"),
        ("redis+sentinel://h1/main?ssl_ca_certs=canary", "ssl_ca_certs"),
        ("redis+cluster://h1?db=1", "db"),
        ("rediss+cluster://h1?ssl_cert_reqs=none", "ssl_cert_reqs"),
        ("smtp://mail?tls=canary", "tls"),
        ("smtps://mail?starttls=canary", "starttls"),
        ("smtp://mail:25/?require_tls=canary", "require_tls"),
    ],
)
def test_a_parameter_that_would_be_ignored_or_fail_later_is_a_fault_that_names_it(url, parameter):
    name = "IDP_SMTP_URL" if url.startswith("smtp") else "IDP_REDIS_URL"
    (fault,) = faults({name: url})

    assert fault.startswith(f"{name}: the parameter `{parameter}` ")
    assert f"`{url.partition('://')[0]}://`" in fault
    assert "canary" not in fault


@pytest.mark.parametrize("query", ["db=1&db=2", "x", "canary@cache", "secret=@canary", "Canary-1=x"])
def test_what_is_no_parameter_is_a_fault_that_does_not_show_it(query):
    (fault,) = faults({"IDP_REDIS_URL": f"redis://user:12?{query}"})

    assert fault.startswith("IDP_REDIS_URL: ")
    assert "anary" not in fault


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
        "redis://cache:6379?db=3",
        "rediss://cache?ssl_cert_reqs=none&ssl_certfile=/c.pem&ssl_keyfile=/k.pem",
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
