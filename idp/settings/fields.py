"""The table of settings. `load`, its faults and docs/configuration.md all read this."""

from __future__ import annotations

from idp.settings import addresses, parsing
from idp.settings.client_fields import CLIENTS
from idp.settings.hosted_fields import PAGES, SESSIONS
from idp.settings.setting import Group, Setting
from idp.settings.trace_fields import TRACES

SERVER = Group(
    "Server",
    (
        Setting(
            "IDP_ENV",
            "development",
            "`production` refuses what is unsafe; see above.",
            parsing.one_of("development", "production"),
        ),
        Setting(
            "IDP_ISSUER",
            None,
            "Who signs the tokens; every link starts with it, and never with what a request header says.",
            addresses.issuer(),
            unset="`http://localhost:8000`, with the port of `IDP_BIND`",
        ),
        Setting("IDP_BIND", "127.0.0.1:8000", "Where the server listens.", addresses.bind()),
        Setting(
            "IDP_SERVER",
            "hypercorn",
            "What speaks HTTP. `granian` (extra `fast`) is faster and refuses less: only behind "
            "[a proxy](reverse-proxies.md#granian) that refuses the rest.",
            parsing.one_of("hypercorn", "granian"),
        ),
        Setting("IDP_WORKERS", "1", "Processes that serve requests.", parsing.integer(1, 512)),
        Setting(
            "IDP_DRAIN",
            None,
            "How long a server that was asked to stop says that it is not ready, and still serves, before it stops "
            "listening: longer than the proxy in front takes to notice.",
            parsing.duration("0s", "5m"),
            unset="`5s`; in development `0s`",
        ),
        Setting(
            "IDP_RELEASE",
            None,
            "What `/health/detailed` calls this release, such as the tag of its image; a roll-out waits for it.",
            parsing.label(),
            unset="the version of the package",
        ),
        Setting(
            "IDP_LOG_FORMAT",
            "auto",
            "Form of the log lines; `auto` is `console` on a terminal and `json` elsewhere.",
            parsing.one_of("auto", "json", "console"),
        ),
        Setting(
            "IDP_TRUSTED_PROXIES",
            None,
            "Only from these addresses are `X-Forwarded-*` headers believed.",
            parsing.listed(parsing.network()),
        ),
        Setting(
            "IDP_PROXY_STRIPS_PATH",
            None,
            "For an issuer with a path: `true` says that the proxy takes it off what it passes on, `false` that it does not.",
            parsing.boolean(),
            unset="a request path that begins with the issuer's is taken as the public one; any other as stripped",
        ),
        Setting(
            "IDP_CORS_ORIGINS",
            None,
            "Pages of these origins may call `/auth` and `/admin`; the token endpoint uses each client's own list.",
            parsing.listed(addresses.origin()),
        ),
    ),
)

STORES = Group(
    "Stores",
    (
        Setting(
            "IDP_DATABASE_URL",
            None,
            "Postgres 15 or newer, with the role that serves requests.",
            addresses.database_url(),
            unset="embedded",
            secret=True,
        ),
        Setting(
            "IDP_MIGRATION_DATABASE_URL",
            None,
            "The same database with the role that owns the tables and migrates them.",
            addresses.database_url(),
            unset="`IDP_DATABASE_URL`",
            secret=True,
        ),
        Setting(
            "IDP_DATABASE_REPLICA_URLS",
            None,
            "Standbys of that database, which answer what may be a moment old.",
            parsing.listed(addresses.database_url()),
            secret=True,
        ),
        Setting(
            "IDP_DATABASE_REPLICA_LAG",
            "5s",
            "A standby that is further behind is not asked.",
            parsing.duration("2s", "1m"),
        ),
        Setting(
            "IDP_DATABASE_POOL",
            "10",
            "Connections of each process to Postgres, at most; one is kept for refreshes.",
            parsing.integer(2, 1_000),
        ),
        Setting(
            "IDP_REDIS_URL",
            None,
            "Redis 7 or newer, or Valkey.",
            addresses.redis_url(),
            unset="embedded",
            secret=True,
        ),
        Setting(
            "IDP_EMBEDDED",
            None,
            "`true` allows embedded stores in production, `false` forbids them everywhere.",
            parsing.boolean(),
            unset="embedded in development only",
        ),
        Setting("IDP_DATA_DIR", ".idp", "Embedded stores, and what development makes for itself.", parsing.path()),
    ),
)

KEYS = Group(
    "Keys, secrets and the first administrator",
    (
        Setting("IDP_KEYS_DIR", "keys", "Signing keys.", parsing.path()),
        Setting(
            "IDP_KEYS_PROVISION",
            "true",
            "`false`: no server makes a key, only `idp keys`. For nodes that have copies of the folder.",
            parsing.boolean(),
        ),
        Setting("IDP_KEY_BITS", "2048", "Size of a new RSA key.", parsing.integer_of(2048, 3072, 4096)),
        Setting(
            "IDP_JWKS_MAX_AGE",
            "5m",
            "How long a client may keep the published keys; a new key waits that long before it signs.",
            parsing.duration("1s", "24h"),
        ),
        Setting(
            "IDP_SECRET",
            None,
            "Protects refresh tokens, forms and cookies; the first signs, all verify, so that a list rotates it.",
            parsing.secrets(),
            unset="made once in `IDP_DATA_DIR` (development)",
            secret=True,
        ),
        Setting(
            "IDP_ADMIN_EMAIL",
            "admin@localhost.test",
            "The first administrator; used only while there is none.",
            addresses.mail_address(),
        ),
        Setting(
            "IDP_ADMIN_PASSWORD",
            None,
            "Password of the first administrator; used only while there is none.",
            parsing.password(),
            unset="random, printed once",
            secret=True,
        ),
    ),
)

TOKENS = Group(
    "Tokens",
    (
        Setting("IDP_ACCESS_TOKEN_TTL", "15m", "Lifetime of an access token.", parsing.duration("1s", "24h")),
        Setting(
            "IDP_REFRESH_TOKEN_TTL",
            "7d",
            "How long one sign-in can be refreshed, counted from the sign-in.",
            parsing.duration("1s", "365d"),
        ),
        Setting(
            "IDP_REFRESH_GRACE",
            "10s",
            "How long a refresh token just replaced gives the same successor again; `0` never.",
            parsing.duration("0s", "5m"),
        ),
        Setting(
            "IDP_REFRESH_REPEATS",
            "3",
            "How many refreshes in a row may present a token just replaced from another network address or user agent"
            " than it was replaced from; `0` none. From the same ones any number may.",
            parsing.integer(0, 1000),
        ),
    ),
)

LIMITS = Group(
    "Passwords, lockout and limits",
    (
        Setting(
            "IDP_BCRYPT_ROUNDS",
            "12",
            "Work of a password hash: one more doubles it.",
            parsing.integer(4, 16, " (from 10 in production)"),
        ),
        Setting(
            "IDP_LOCKOUT_ATTEMPTS", "5", "Failed sign-ins before an address is locked.", parsing.integer(1, 1_000_000)
        ),
        Setting("IDP_LOCKOUT_DURATION", "15m", "How long it stays locked.", parsing.duration("1s", "7d")),
        Setting(
            "IDP_LIMIT_LOGIN",
            "5/15m",
            "Password attempts, per network address; and as many failed client authentications, per address and client.",
            parsing.limit(),
        ),
        Setting(
            "IDP_LIMIT_LOGIN_COUNTS",
            "attempts",
            "`failures` leaves sign-ins that succeed out, for offices and backends behind one address.",
            parsing.one_of("attempts", "failures"),
        ),
        Setting("IDP_LIMIT_REGISTER", "3/1h", "Registrations, per network address.", parsing.limit()),
        Setting("IDP_LIMIT_REFRESH", "10/1m", "Refreshes, per user.", parsing.limit()),
        Setting(
            "IDP_LIMIT_API",
            "100/15m",
            "The rest of `/auth` and the userinfo endpoint, per user; per network address for calls without a user.",
            parsing.limit(),
        ),
        Setting("IDP_LIMIT_ADMIN", "50/1h", "`/admin`, per administrator.", parsing.limit()),
        Setting("IDP_LIMIT_CLIENT", "off", "Calls of an authenticated client, per client.", parsing.limit()),
        Setting(
            "IDP_LIMIT_AUTHORIZE",
            "1000/5m",
            "Authorization requests of browsers in which nobody is signed in, and requests to sign out by POST, per network "
            "address: so many, with 1 KiB of parameters each on average.",
            parsing.limit(),
        ),
    ),
)

MAIL = Group(
    "Mail, metrics and audit",
    (
        Setting(
            "IDP_SMTP_URL",
            None,
            "The mail server.",
            addresses.smtp_url(),
            unset="mails are written to `IDP_DATA_DIR/mail/*.eml`",
            secret=True,
        ),
        Setting(
            "IDP_MAIL_FROM",
            None,
            "Sender of every mail.",
            addresses.mail_sender(),
            unset="`no-reply@` and the host of `IDP_ISSUER`",
        ),
        Setting(
            "IDP_METRICS_TOKEN",
            None,
            "Bearer token for `/metrics`.",
            parsing.bearer_token(),
            unset="`/metrics` answers loopback only",
            secret=True,
        ),
        Setting("IDP_AUDIT_RETENTION", "365d", "How long audit events are kept.", parsing.duration("1s", "36500d")),
    ),
)

GROUPS = (SERVER, STORES, KEYS, TOKENS, SESSIONS, LIMITS, CLIENTS, MAIL, TRACES, PAGES)
SETTINGS = tuple(setting for group in GROUPS for setting in group.settings)
