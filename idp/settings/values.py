"""What the server is told: immutable, and safe to print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from types import MappingProxyType
from typing import Literal

Network = IPv4Network | IPv6Network

SECRET: Mapping[str, bool] = MappingProxyType({"secret": True})


@dataclass(frozen=True, slots=True)
class LimitSetting:
    """At most *count* in any *window*."""

    count: int
    window: timedelta


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """
    Every setting, read and checked; `docs/configuration.md` says what each means.

    None stands for "not given": an embedded store, mails written to files, a limit that is off.
    *secrets* holds the newest first and is empty in development when none was given.
    """

    env: Literal["development", "production"]
    issuer: str
    bind_host: str
    bind_port: int
    bind_is_default: bool
    server: str
    workers: int
    drain: timedelta
    release: str
    log_format: Literal["auto", "json", "console"]

    database_url: str | None = field(metadata=SECRET)
    migration_database_url: str | None = field(metadata=SECRET)
    database_replica_urls: tuple[str, ...] = field(metadata=SECRET)
    database_replica_lag: timedelta
    database_pool: int
    redis_url: str | None = field(metadata=SECRET)
    embedded: bool | None
    data_dir: Path

    keys_dir: Path
    key_bits: int
    keys_provision: bool
    jwks_max_age: timedelta
    secrets: tuple[bytes, ...] = field(metadata=SECRET)
    admin_email: str
    admin_password: str | None = field(metadata=SECRET)

    access_token_ttl: timedelta
    refresh_token_ttl: timedelta
    refresh_grace: timedelta
    refresh_repeats: int

    session_ttl: timedelta
    session_idle: timedelta
    session_remembered: timedelta
    verified_email_required: bool

    bcrypt_rounds: int
    lockout_attempts: int
    lockout_duration: timedelta
    limit_login: LimitSetting | None
    limit_login_counts: str
    limit_register: LimitSetting | None
    limit_refresh: LimitSetting | None
    limit_api: LimitSetting | None
    limit_admin: LimitSetting | None
    limit_client: LimitSetting | None
    limit_authorize: LimitSetting | None

    registration_token: str | None = field(metadata=SECRET)
    registration_schemes: tuple[str, ...]
    registration_scopes: tuple[str, ...]
    registration_resources: tuple[str, ...]
    registration_require_pkce: bool
    outgoing_private: bool | None

    trusted_proxies: tuple[Network, ...]
    proxy_strips_path: bool | None
    cors_origins: tuple[str, ...]

    smtp_url: str | None = field(metadata=SECRET)
    mail_from: str
    metrics_token: str | None = field(metadata=SECRET)
    audit_retention: timedelta

    otel_endpoint: str | None
    otel_headers: tuple[tuple[str, str], ...] = field(metadata=SECRET)
    otel_service_name: str
    otel_sample_ratio: float

    brand_name: str
    brand_logo_url: str | None
    brand_color: str
    brand_links: tuple[tuple[str, str], ...]
    templates_dir: Path | None

    def __repr__(self) -> str:
        """Secrets, and URLs that may hold a password, appear as '***'."""
        shown = ", ".join(f"{item.name}={self._shown(item.name, item.metadata)}" for item in fields(self))
        return f"Settings({shown})"

    def _shown(self, name: str, metadata: Mapping[str, bool]) -> str:
        value = getattr(self, name)
        return "'***'" if value and metadata.get("secret") else repr(value)
