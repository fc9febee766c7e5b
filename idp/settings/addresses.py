"""Settings that are addresses: where to listen, who we are, which stores to call, whom to trust with a browser."""

from __future__ import annotations

import re
from ipaddress import IPv6Address

import idna

from idp.domain.accounts.mail_addresses import sender
from idp.services.accounts import mail_addresses
from idp.settings import url_parameters
from idp.settings.parsing import Parser, Unacceptable
from idp.settings.url_parameters import require_known

HIGHEST_PORT = 65_535
DEFAULT_PORTS = {"http": "80", "https": "443"}

HOST = r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\]"
# What has one spelling only: browsers and proxies resolve `.` and `..`, and decode `%61` or leave it.
PATH = r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9_.~-]+)*"
ORIGIN = rf"(?P<scheme>https?)://(?P<host>{HOST})(?::(?P<port>[1-9][0-9]{{0,4}}))?"
URL = re.compile(
    r"(?P<scheme>[a-z+]+)://(?:[^@/?#\s]*@)?(?P<hosts>[^@/?#\s]*)(?P<path>/[^@?#\s]*)?(?:\?[^#\s]*)?",
)
SERVER = re.compile(r"(?:[A-Za-z0-9_.%~-]+|\[(?P<literal>[0-9A-Fa-f:.%]+)\])(?::(?P<port>[0-9]{1,5}))?")

SENTINEL_PATH = r"/[^/]+(?:/[0-9]*)?"  # a service, perhaps a database
CLUSTER_PATH = r"/?0?"  # a cluster has database 0 only
REDIS_PATHS = {
    "redis": r"(?:/[0-9]*)?",
    "rediss": r"(?:/[0-9]*)?",
    "unix": r"/.+",
    "redis+sentinel": SENTINEL_PATH,
    "rediss+sentinel": SENTINEL_PATH,
    "redis+cluster": CLUSTER_PATH,
    "rediss+cluster": CLUSTER_PATH,
}
MANY_HOSTS = {"redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"}


def bind() -> Parser:
    """(host, port). No host means every IPv4 address; an IPv6 address comes back without its brackets."""

    def read(text: str) -> tuple[str, int]:
        match = re.fullmatch(r"(?:(?P<host>[A-Za-z0-9_.-]*)|\[(?P<literal>[^\]]+)\]):(?P<port>[0-9]{1,5})", text)
        if match is None or not 1 <= int(match["port"]) <= HIGHEST_PORT:
            raise ValueError
        host = str(IPv6Address(match["literal"])) if match["literal"] else match["host"] or "0.0.0.0"  # noqa: S104
        return host, int(match["port"])

    return Parser("`host:port` such as `127.0.0.1:8000`, `[::1]:8000` or `:8000` (every IPv4 address)", read)


def issuer() -> Parser:
    """Clients compare it character by character (OpenID Connect Discovery 1.0, section 4.3), so it is taken as is."""

    def read(text: str) -> str:
        _require_canonical(re.fullmatch(ORIGIN + PATH, text))
        return text

    return Parser(
        "an `https://` or `http://` address, its host in lower case, without default port, user, query, fragment or slash "
        "at the end; a path in it of letters, digits and `-._~`",
        read,
    )


def origin() -> Parser:
    def read(text: str) -> str:
        if "*" in text:
            raise Unacceptable(
                "a wildcard is refused, because these answers are given with credentials; "
                "list every origin by name, such as `https://app.example.com`."
            )
        _require_canonical(re.fullmatch(ORIGIN, text))
        return text

    return Parser("an exact origin such as `https://app.example.com` (lower case, no default port, no path)", read)


def database_url() -> Parser:
    def read(text: str) -> str:
        url = _url(text)
        if url["scheme"] not in {"postgresql", "postgres"} or (url["hosts"] and not _are_servers(url["hosts"])):
            raise ValueError
        require_known(text, url_parameters.POSTGRES)
        return text

    return Parser("`postgresql://user:password@host:5432/name`, special characters in it percent-encoded", read)


def redis_url() -> Parser:
    def read(text: str) -> str:
        url = _url(text)
        scheme, hosts = url["scheme"], url["hosts"]
        if scheme not in REDIS_PATHS or re.fullmatch(REDIS_PATHS[scheme], url["path"] or "") is None:
            raise ValueError
        if scheme == "unix" and hosts:
            raise ValueError
        if scheme != "unix" and not _are_servers(hosts, many=scheme in MANY_HOSTS):
            raise ValueError
        require_known(text, url_parameters.REDIS[scheme])
        return text

    return Parser(
        "`redis://host:6379/0`, `rediss://…`, `unix:///path`, `redis+sentinel://h1,h2/service` or "
        "`redis+cluster://h1,h2` (with TLS `rediss+…`), special characters in it percent-encoded",
        read,
    )


def smtp_url() -> Parser:
    def read(text: str) -> str:
        url = _url(text)
        if url["scheme"] not in {"smtp", "smtps"} or not _are_servers(url["hosts"], many=False):
            raise ValueError
        if url["path"] not in {None, "/"}:
            raise ValueError
        require_known(text, url_parameters.SMTP[url["scheme"]])
        return text

    return Parser("`smtp://user:password@host:587` or `smtps://…`, special characters in it percent-encoded", read)


def collector() -> Parser:
    """No user in it: a collector that wants credentials takes them in a header."""

    def read(text: str) -> str:
        if re.fullmatch(ORIGIN + r"(?:/[A-Za-z0-9_.~%-]+)*/?", text) is None:
            raise ValueError
        return text

    return Parser("an `http://` or `https://` address such as `http://localhost:4318`, without user and query", read)


def mail_address() -> Parser:
    """As accounts may have it, so that the account can be edited, exported and imported like every other."""
    return Parser("an e-mail address such as `ada@example.com` or `admin@corp.local`", mail_addresses.mail_address)


def mail_sender() -> Parser:
    def read(text: str) -> str:
        _, address = sender(text)
        idna.encode(address.rpartition("@")[2], uts46=True)  # a host without an ASCII form has no mail
        return text

    return Parser("an e-mail address or `Name <address>`", read)


def _require_canonical(match: re.Match[str] | None) -> None:
    if match is None or int(match["port"] or 1) > HIGHEST_PORT or match["port"] == DEFAULT_PORTS[match["scheme"]]:
        raise ValueError
    if match["host"].startswith("["):
        IPv6Address(match["host"][1:-1])


def _url(text: str) -> re.Match[str]:
    match = URL.fullmatch(text)
    if match is None:
        raise ValueError
    return match


def _are_servers(hosts: str, *, many: bool = True) -> bool:
    servers = hosts.split(",")
    return (many or len(servers) == 1) and all(_is_server(server) for server in servers)


def _is_server(server: str) -> bool:
    match = SERVER.fullmatch(server)
    if match is None or not 1 <= int(match["port"] or 1) <= HIGHEST_PORT:
        return False
    return match["literal"] is None or _is_ipv6(match["literal"])


def _is_ipv6(literal: str) -> bool:
    try:
        IPv6Address(literal)
    except ValueError:
        return False
    return True
