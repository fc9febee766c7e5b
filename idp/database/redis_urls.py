"""
What an address of Redis means. The scheme tells how many servers there are and who knows which of them to ask:

    redis://  rediss://  unix://          one server
    redis+sentinel://h1:26379,h2/service  the master that the sentinels name
    redis+cluster://h1:6379,h2            a cluster; the keys of a call share a slot

`rediss+sentinel://` and `rediss+cluster://` are the same over TLS, to every server and sentinel. In the query of an address
with several hosts: `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`, and `sentinel_username` and `sentinel_password` when the
sentinels ask for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import ConstantBackoff

from idp.database.redis_server import ANSWER_TIMEOUT

CONNECT_TIMEOUT = 0.25
CONNECTIONS = 16
CERTIFICATES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")

Address = tuple[str, int]


def is_cluster(url: str) -> bool:
    return _scheme(url).endswith("+cluster")


def fails_over(url: str) -> bool:
    """Whether the servers of this address make a replica take over by themselves."""
    return _scheme(url).endswith(("+cluster", "+sentinel"))


def client_for(url: str) -> Any:
    """The driver's client of one server, which is found by the address or by the sentinels."""
    if _scheme(url).endswith("+sentinel"):
        return _sentinel_client(url)
    pool = BlockingConnectionPool.from_url(url, max_connections=CONNECTIONS, timeout=ANSWER_TIMEOUT, **_options())
    return Redis.from_pool(pool)


@dataclass(frozen=True, slots=True)
class ClusterUrl:
    """The nodes that the address names, of any number that there may be, and how to call one."""

    named: tuple[Address, ...]
    options: Mapping[str, Any]
    connection_class: type[Connection]

    @classmethod
    def read(cls, url: str) -> ClusterUrl:
        servers, _, query = _parts(url)
        credentials, addresses = _addresses(servers, 6379)
        certificates = _certificates(query) if _is_tls(url) else {}
        kind = SSLConnection if _is_tls(url) else Connection
        return cls(tuple(addresses), _options() | credentials | certificates, kind)

    def client(self, address: Address) -> Any:
        """The driver's client of one node."""
        host, port = address
        return Redis.from_pool(
            BlockingConnectionPool(
                max_connections=CONNECTIONS,
                timeout=ANSWER_TIMEOUT,
                connection_class=self.connection_class,
                host=host,
                port=port,
                **self.options,
            )
        )


def _options() -> dict[str, Any]:
    # One retry at once: enough to leave a connection that a restart has closed, and no waiting behind the caller's back.
    return {
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_timeout": ANSWER_TIMEOUT,
        "retry": Retry(ConstantBackoff(0), 1),
        "protocol": 2,
    }


def _scheme(url: str) -> str:
    return url.partition("://")[0]


def _is_tls(url: str) -> bool:
    return _scheme(url).startswith("rediss")


def _certificates(query: Mapping[str, str]) -> dict[str, Any]:
    return {name: query[name] for name in CERTIFICATES if name in query}


def _parts(url: str) -> tuple[str, str, dict[str, str]]:
    """Servers, path and query. Not urlsplit: it takes one server, and refuses a list with an IPv6 address in it."""
    rest, _, query = url.partition("://")[2].partition("?")
    servers, _, path = rest.partition("/")
    return servers, path, dict(parse_qsl(query))


def _addresses(netloc: str, default_port: int) -> tuple[dict[str, str], list[Address]]:
    """`user:password@h1:p1,h2` → credentials, addresses."""
    login, _, hosts = netloc.rpartition("@")
    user, _, password = login.partition(":")
    credentials = {"username": unquote(user), "password": unquote(password)}
    found = []
    for host in hosts.split(","):
        name, colon, port = host.rpartition(":")
        found.append((name.strip("[]"), int(port)) if colon and port.isdigit() else (host.strip("[]"), default_port))
    return {name: value for name, value in credentials.items() if value}, found


def _sentinel_client(url: str) -> Any:
    servers, path, query = _parts(url)
    credentials, addresses = _addresses(servers, 26379)
    service, _, database = path.strip("/").partition("/")
    tls = {"ssl": True, **_certificates(query)} if _is_tls(url) else {}
    # A sentinel that hangs is passed over before the caller's deadline.
    watching = {"socket_timeout": CONNECT_TIMEOUT, "socket_connect_timeout": CONNECT_TIMEOUT, "protocol": 2}
    login = {name: query.get(f"sentinel_{name}") for name in ("username", "password")}
    sentinel = Sentinel(
        addresses,
        sentinel_kwargs=watching | login | tls,
        db=int(database or 0),
        **credentials,
        **_options(),
        **tls,
    )
    return sentinel.master_for(service or "mymaster", connection_pool_class=SentinelConnectionPool)
