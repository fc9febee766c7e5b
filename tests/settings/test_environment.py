"""The environment as a whole: defaults, names that are none, all faults at once, and what production refuses."""

import dataclasses
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import pytest
from environments import PRODUCTION, faults

from idp.settings import LimitSetting, Settings, load
from idp.settings.fields import SETTINGS


def test_an_empty_environment_gives_the_defaults_of_the_contract():
    settings = load({"PATH": "/usr/bin"})

    assert settings == Settings(
        env="development",
        issuer="http://localhost:8000",
        bind_host="127.0.0.1",
        bind_port=8000,
        bind_is_default=True,
        server="hypercorn",
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
        refresh_repeats=3,
        session_ttl=timedelta(hours=12),
        session_idle=timedelta(hours=2),
        session_remembered=timedelta(days=30),
        verified_email_required=False,
        bcrypt_rounds=12,
        lockout_attempts=5,
        lockout_duration=timedelta(minutes=15),
        limit_login=LimitSetting(5, timedelta(minutes=15)),
        limit_login_counts="attempts",
        limit_register=LimitSetting(3, timedelta(hours=1)),
        limit_refresh=LimitSetting(10, timedelta(minutes=1)),
        limit_api=LimitSetting(100, timedelta(minutes=15)),
        limit_admin=LimitSetting(50, timedelta(hours=1)),
        limit_client=None,
        limit_authorize=LimitSetting(1000, timedelta(minutes=5)),
        registration_token=None,
        registration_schemes=(),
        registration_scopes=(),
        registration_resources=(),
        registration_require_pkce=True,
        outgoing_private=None,
        trusted_proxies=(),
        proxy_strips_path=None,
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
