"""
What `idp doctor` looks at: one name for each check, the same in its answer and in docs/production.md.

An examination of an installation whose stores answer has exactly one finding for each.
"""

from __future__ import annotations

from enum import StrEnum


class Item(StrEnum):
    """In the order in which they are told."""

    SETTINGS = "settings"
    ENVIRONMENT = "environment"
    ISSUER = "issuer"
    ISSUER_PATH = "issuer-path"
    TRUSTED_PROXIES = "trusted-proxies"
    SERVER = "server"
    CORS_ORIGINS = "cors-origins"
    STORES = "stores"
    TEMPLATES = "templates"
    BRAND = "brand"
    OUTGOING = "outgoing"
    METRICS_TOKEN = "metrics-token"  # noqa: S105 - the name of a check, as those below
    DRAIN = "drain"
    MAIL = "mail"
    MAIL_TLS = "mail-tls"

    SECRET = "secret"  # noqa: S105
    SECRET_ROTATION = "secret-rotation"  # noqa: S105
    SECRET_FILES = "secret-files"  # noqa: S105
    KEYS = "keys"
    SIGNING_KEY = "signing-key"
    KEY_SIZE = "key-size"
    OLD_KEYS = "old-keys"

    PASSWORD_HASHING = "password-hashing"  # noqa: S105
    LOCKOUT = "lockout"
    LOGIN_LIMIT = "login-limit"
    OTHER_LIMITS = "other-limits"
    TOKEN_LIFETIMES = "token-lifetimes"  # noqa: S105
    BROWSER_SESSIONS = "browser-sessions"
    VERIFIED_EMAIL = "verified-email"
    CLIENT_REGISTRATION = "client-registration"

    WORKERS = "workers"
    MEMORY = "memory"
    DISK = "disk"
    OPEN_FILES = "open-files"

    DATABASE = "database"
    MIGRATIONS = "migrations"
    DATABASE_RIGHTS = "database-rights"
    DATABASE_ROLES = "database-roles"
    DATABASE_TLS = "database-tls"
    DATABASE_COMMIT = "database-commit"
    DATABASE_TIMEOUTS = "database-timeouts"
    DATABASE_CONNECTIONS = "database-connections"
    DATABASE_CLOCK = "database-clock"
    DATABASE_REPLICAS = "database-replicas"

    ADMINISTRATORS = "administrators"
    ADMIN_PASSWORD = "admin-password"  # noqa: S105
    DEMO_CLIENTS = "demo-clients"
    CLIENT_ADDRESSES = "client-addresses"
    CLIENT_PKCE = "client-pkce"
    PASSWORD_GRANT = "password-grant"  # noqa: S105
    PRIVILEGED_CLIENTS = "privileged-clients"
    AUDIT_TRAIL = "audit-trail"
    AUDIT_RETENTION = "audit-retention"

    REDIS = "redis"
    REDIS_PASSWORD = "redis-password"  # noqa: S105
    REDIS_TLS = "redis-tls"
    REDIS_EVICTION = "redis-eviction"
    REDIS_PERSISTENCE = "redis-persistence"
    REDIS_MEMORY = "redis-memory"
    REDIS_REPLICAS = "redis-replicas"
    REDIS_CLOCK = "redis-clock"
