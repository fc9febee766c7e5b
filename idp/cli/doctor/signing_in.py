"""What the settings say of passwords, limits, sessions and tokens."""

from __future__ import annotations

from datetime import timedelta

from idp.cli.doctor.line import Fault, Line
from idp.domain.operation.checklist import Item
from idp.domain.operation.diagnosis import Verdict
from idp.settings import Settings
from idp.settings.rules import FEWEST_ROUNDS_IN_PRODUCTION

SLOW_ROUNDS = 14  # more than a second of CPU for each sign-in
MOST_ATTEMPTS = 100  # NIST SP 800-63B-4, section 3.2.2
SHORTEST_LOCK = timedelta(minutes=1)
LONGEST_ACCESS_TOKEN = timedelta(hours=1)
LONGEST_REFRESH = timedelta(days=90)
LONGEST_GRACE = timedelta(minutes=1)
LONGEST_SESSION = timedelta(days=7)
LONGEST_REMEMBERED = timedelta(days=90)
OTHERS = ("limit_register", "limit_refresh", "limit_api", "limit_admin", "limit_authorize")


def _lockout_lenient(settings: Settings) -> bool:
    return settings.lockout_attempts > MOST_ATTEMPTS or settings.lockout_duration < SHORTEST_LOCK


def _sessions_long(settings: Settings) -> bool:
    return settings.session_ttl > LONGEST_SESSION or settings.session_remembered > LONGEST_REMEMBERED


TABLE = (
    Line(
        Item.PASSWORD_HASHING,
        "Stolen hashes take long to guess.",
        (
            Fault(
                Verdict.UNSAFE,
                lambda settings: settings.bcrypt_rounds < FEWEST_ROUNDS_IN_PRODUCTION,
                f"Fewer than {FEWEST_ROUNDS_IN_PRODUCTION} rounds of bcrypt: stolen hashes are soon guessed.",
                "Set IDP_BCRYPT_ROUNDS=12, or leave it out.",
            ),
            Fault(
                Verdict.NOTE,
                lambda settings: settings.bcrypt_rounds > SLOW_ROUNDS,
                "A sign-in takes seconds of CPU: a few attempts a second fill a core.",
                "Set IDP_BCRYPT_ROUNDS=12, or count the cores with docs/sizing.md.",
            ),
        ),
    ),
    Line(
        Item.LOCKOUT,
        "Guessing the password of one account is locked soon.",
        (
            Fault(
                Verdict.WARNING,
                _lockout_lenient,
                f"More than {MOST_ATTEMPTS} guesses at one account, or a lock of less than a minute.",
                "Leave IDP_LOCKOUT_ATTEMPTS and IDP_LOCKOUT_DURATION out, or nearer to 5 and 15m.",
            ),
        ),
    ),
    Line(
        Item.LOGIN_LIMIT,
        "Password attempts per network address are limited.",
        (
            Fault(
                Verdict.WARNING,
                lambda settings: settings.limit_login is None,
                "Password attempts per network address are not limited.",
                "Leave IDP_LIMIT_LOGIN out, or give it a count and a window.",
            ),
            Fault(
                Verdict.NOTE,
                lambda settings: settings.limit_login is not None and settings.limit_login_counts == "attempts",
                "Sign-ins that succeed count too: people behind one address, as in an office, share so few of them.",
                "Set IDP_LIMIT_LOGIN_COUNTS=failures if many sign in from one address; else leave it.",
            ),
        ),
    ),
    Line(
        Item.OTHER_LIMITS,
        "Registrations, refreshes, calls and anonymous requests are limited.",
        (
            Fault(
                Verdict.WARNING,
                lambda settings: any(getattr(settings, name) is None for name in OTHERS),
                "One of the other limits is off: registering, refreshing, /auth, /admin or the authorization endpoint.",
                "Leave IDP_LIMIT_REGISTER, _REFRESH, _API, _ADMIN and _AUTHORIZE out, or give them a count.",
            ),
        ),
    ),
    Line(
        Item.TOKEN_LIFETIMES,
        "Access tokens end soon, and so does the grace of refresh tokens.",
        (
            Fault(
                Verdict.WARNING,
                lambda settings: settings.access_token_ttl > LONGEST_ACCESS_TOKEN,
                "Access tokens live longer than an hour, and resource servers do not ask whether they were revoked.",
                "Set IDP_ACCESS_TOKEN_TTL=15m, or leave it out.",
            ),
            Fault(
                Verdict.WARNING,
                lambda settings: settings.refresh_grace > LONGEST_GRACE,
                "A stolen refresh token works beside its successor for more than a minute.",
                "Set IDP_REFRESH_GRACE=10s, or leave it out.",
            ),
            Fault(
                Verdict.NOTE,
                lambda settings: settings.refresh_token_ttl > LONGEST_REFRESH,
                "A sign-in can be refreshed for more than 90 days.",
                "Set IDP_REFRESH_TOKEN_TTL=30d or less.",
            ),
        ),
    ),
    Line(
        Item.BROWSER_SESSIONS,
        "Sign-ins in browsers end.",
        (
            Fault(
                Verdict.NOTE,
                _sessions_long,
                "A sign-in in a browser lasts more than a week, or on a remembered device more than 90 days.",
                "Lower IDP_SESSION_TTL or IDP_SESSION_REMEMBERED.",
            ),
        ),
    ),
    Line(
        Item.VERIFIED_EMAIL,
        "Nobody goes on to a client before the e-mail address is verified.",
        (
            Fault(
                Verdict.NOTE,
                lambda settings: not settings.verified_email_required,
                "Clients get users whose e-mail address nobody has verified; they are told (`email_verified`).",
                "Set IDP_VERIFIED_EMAIL_REQUIRED=true, if clients take the address for who the user is.",
            ),
        ),
    ),
    Line(
        Item.CLIENT_REGISTRATION,
        "Clients are registered by administrators alone.",
        (
            Fault(
                Verdict.NOTE,
                lambda settings: settings.registration_token is not None,
                "Who has the registration token registers clients that users are asked to trust.",
                "Remove IDP_REGISTRATION_TOKEN when the clients are registered.",
            ),
        ),
    ),
)
