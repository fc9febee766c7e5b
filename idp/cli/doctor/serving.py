"""What the settings say of who reaches the server, and whom the server reaches."""

from __future__ import annotations

import stat
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from idp.cli.doctor.line import Fault, Line
from idp.cli.environment import embeds
from idp.domain.operation.checklist import Item
from idp.domain.operation.diagnosis import Verdict
from idp.domain.operation.issuers import Issuer
from idp.settings import Settings

WIDEST_PROXIES = {4: 8, 6: 32}  # prefix lengths: 10.0.0.0/8 is the widest network of one operator
SHORTEST_METRICS_TOKEN = 32
SHORTEST_DRAIN = timedelta(seconds=3)  # a proxy that asks every second twice before it believes
LOCAL = ("localhost", "127.0.0.1", "::1")


def _clear(address: str) -> bool:
    return address.startswith("http://") or urlsplit(address).hostname in LOCAL


def _everybody_is_a_proxy(settings: Settings) -> bool:
    return any(network.prefixlen == 0 for network in settings.trusted_proxies)


def _wide_proxies(settings: Settings) -> bool:
    return any(network.prefixlen < WIDEST_PROXIES[network.version] for network in settings.trusted_proxies)


def _unnamed_proxy(settings: Settings) -> bool:
    """The server itself speaks no TLS, so that of an https issuer ends at a proxy."""
    return settings.issuer.startswith("https://") and not settings.trusted_proxies


def _path_is_ambiguous(settings: Settings) -> bool:
    return settings.proxy_strips_path is None and Issuer.of(settings.issuer).is_ambiguous


def _proxy_on_this_machine(settings: Settings) -> bool:
    return any(ip_address(loopback) in network for loopback in LOCAL[1:] for network in settings.trusted_proxies)


def _templates_open(settings: Settings) -> bool:
    folder = settings.templates_dir
    return folder is not None and bool(stat.S_IMODE(folder.stat().st_mode) & 0o022)


def _mail_in_clear(settings: Settings) -> bool:
    parts = urlsplit(settings.smtp_url or "")
    return parts.scheme == "smtp" and not parts.username and parts.hostname not in LOCAL


TABLE = (
    Line(
        Item.ENVIRONMENT,
        "Production refuses what is unsafe.",
        (
            Fault(
                Verdict.WARNING,
                lambda settings: settings.env == "development",
                "Development mode refuses nothing that is unsafe.",
                "Set IDP_ENV=production where others depend on this server.",
            ),
        ),
    ),
    Line(
        Item.ISSUER,
        "The issuer is https.",
        (
            Fault(
                Verdict.UNSAFE,
                lambda settings: settings.issuer.startswith("http://"),
                "The issuer is http: passwords and tokens travel in clear.",
                "Give IDP_ISSUER an https address.",
            ),
        ),
    ),
    Line(
        Item.ISSUER_PATH,
        "The path of the issuer cannot be mistaken for a path of this server, or a setting says whether the proxy strips it.",
        (
            Fault(
                Verdict.WARNING,
                _path_is_ambiguous,
                "Paths of this server begin like the path of the issuer: behind a proxy that strips it, some are misread.",
                "Set IDP_PROXY_STRIPS_PATH to true or false.",
            ),
        ),
    ),
    Line(
        Item.TRUSTED_PROXIES,
        "Callers are known by their own addresses.",
        (
            Fault(
                Verdict.UNSAFE,
                _everybody_is_a_proxy,
                "Everybody is a trusted proxy: whoever calls names an address of their own, and no limit holds.",
                "Give IDP_TRUSTED_PROXIES the networks of your proxies.",
            ),
            Fault(
                Verdict.WARNING,
                _wide_proxies,
                "A trusted network is so wide that others are in it: they name addresses of their own.",
                "Give IDP_TRUSTED_PROXIES the networks of your proxies alone.",
            ),
            Fault(
                Verdict.WARNING,
                _unnamed_proxy,
                "No proxy is named: all callers behind it have its address, and share one limit.",
                "Give IDP_TRUSTED_PROXIES the addresses of the proxy that ends TLS.",
            ),
        ),
    ),
    Line(
        Item.SERVER,
        "What speaks HTTP refuses odd requests, or a proxy does.",
        (
            Fault(
                Verdict.WARNING,
                lambda settings: settings.server == "granian" and not settings.trusted_proxies,
                "Granian takes requests that only a proxy in front can refuse, and no proxy is named.",
                "Put a proxy in front and name it in IDP_TRUSTED_PROXIES, or leave IDP_SERVER out.",
            ),
        ),
    ),
    Line(
        Item.CORS_ORIGINS,
        "Pages that may call /auth and /admin are on https, or there are none.",
        (
            Fault(
                Verdict.WARNING,
                lambda settings: settings.env == "production" and any(map(_clear, settings.cors_origins)),
                "Pages in clear, or on somebody's own machine, may call /auth and /admin.",
                "Take http and localhost origins out of IDP_CORS_ORIGINS.",
            ),
        ),
    ),
    Line(
        Item.STORES,
        "Both stores are servers of their own.",
        (
            Fault(
                Verdict.WARNING,
                embeds,
                "A store is embedded: it is of this machine alone, and stops with the server.",
                "Set IDP_DATABASE_URL and IDP_REDIS_URL.",
            ),
        ),
    ),
    Line(
        Item.TEMPLATES,
        "Nobody else writes the pages.",
        (
            Fault(
                Verdict.UNSAFE,
                _templates_open,
                "Other users can change the pages that users type their passwords into.",
                "Run chmod -R go-w on IDP_TEMPLATES_DIR.",
            ),
        ),
    ),
    Line(
        Item.BRAND,
        "The pages have a name of yours.",
        (
            Fault(
                Verdict.NOTE,
                lambda settings: settings.brand_name == "idp",
                "The pages call this service idp: users cannot tell it from a copy.",
                "Set IDP_BRAND_NAME.",
            ),
        ),
    ),
    Line(
        Item.OUTGOING,
        "Addresses that clients register are called in the public network only.",
        (
            Fault(
                Verdict.WARNING,
                lambda settings: settings.env == "production" and bool(settings.outgoing_private),
                "Clients may have this server call addresses in the networks around it.",
                "Leave IDP_OUTGOING_PRIVATE out, or let a firewall say what this server may reach.",
            ),
        ),
    ),
    Line(
        Item.METRICS_TOKEN,
        "Metrics are told to who has the token, or to this machine.",
        (
            Fault(
                Verdict.WARNING,
                lambda settings: 0 < len(settings.metrics_token or "") < SHORTEST_METRICS_TOKEN,
                f"The token of the metrics has fewer than {SHORTEST_METRICS_TOKEN} letters, and nothing limits guesses.",
                "Give IDP_METRICS_TOKEN what `openssl rand -hex 32` makes.",
            ),
            Fault(
                Verdict.WARNING,
                lambda settings: settings.metrics_token is None and _proxy_on_this_machine(settings),
                "A proxy on this machine may read the metrics for others: there is no token.",
                "Set IDP_METRICS_TOKEN.",
            ),
        ),
    ),
    Line(
        Item.DRAIN,
        "A node that stops serves until the proxy has noticed.",
        (
            Fault(
                Verdict.WARNING,
                lambda settings: settings.env == "production" and settings.drain < SHORTEST_DRAIN,
                "A node that stops leaves before a proxy has noticed: requests fail at each deploy.",
                "Leave IDP_DRAIN out, or give it more than twice the time between two checks of the proxy.",
            ),
        ),
    ),
    Line(
        Item.MAIL,
        "There is a mail server.",
        (
            Fault(
                Verdict.WARNING,
                lambda settings: settings.smtp_url is None,
                "There is no mail server: in production mails wait, in development they become files in IDP_DATA_DIR.",
                "Set IDP_SMTP_URL.",
            ),
        ),
    ),
    Line(
        Item.MAIL_TLS,
        "Mails leave with TLS, or not at all.",
        (
            Fault(
                Verdict.WARNING,
                _mail_in_clear,
                "Mails may leave in clear, with the links that set passwords: smtp:// without a user name takes no TLS "
                "for granted.",
                "Use smtps://, or a user name.",
            ),
        ),
    ),
)
