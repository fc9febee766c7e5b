"""
The public keys of clients: registered, or read from where the client publishes them.

What was read is good for five minutes. A signature that names another key makes them be read again, since a client that
changes keys should not have to wait; but whoever sends such signatures causes one request in half a minute, not more.
While they cannot be read, those that were read before go on: a client is not locked out by a pause of its own server.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from idp.domain.clients.client_keys import MOST_KEYS, Jwk, key_fault
from idp.domain.clients.clients import Client
from idp.domain.operation.outgoing import Outgoing, OutgoingFailed

log = structlog.get_logger("idp.client_keys")

FRESH = 300.0  # seconds
ASKED_AGAIN = 30.0
MOST_REMEMBERED = 1000


@dataclass(slots=True)
class _Published:
    """*read_at*, *asked_at*: by the monotonic clock; None before the first time."""

    keys: list[Jwk] = field(default_factory=list)
    read_at: float | None = None
    asked_at: float | None = None
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class ClientKeys:
    def __init__(self, outgoing: Outgoing, clock: Callable[[], float] = time.monotonic) -> None:
        self._outgoing = outgoing
        self._clock = clock
        self._published: dict[str, _Published] = {}

    async def of(self, client: Client, kid: str | None) -> list[Jwk]:
        """Those that *client* has now, empty when none can be had. *kid* is the key that is looked for, if it is known."""
        if client.jwks is not None:
            return list(client.jwks["keys"])
        if client.jwks_uri is None:
            return []
        published = self._remembered(client.jwks_uri)
        if self._wanting(published, kid):
            async with published.asking:
                if self._wanting(published, kid):  # who waited for the lock may find that it was read meanwhile
                    await self._read(client.jwks_uri, published)
        return published.keys

    def _remembered(self, uri: str) -> _Published:
        if uri not in self._published and len(self._published) >= MOST_REMEMBERED:
            self._published.pop(next(iter(self._published)))
        return self._published.setdefault(uri, _Published())

    def _wanting(self, published: _Published, kid: str | None) -> bool:
        now = self._clock()
        if published.asked_at is not None and now - published.asked_at < ASKED_AGAIN:
            return False
        stale = published.read_at is None or now - published.read_at >= FRESH
        return stale or (kid is not None and all(key.get("kid") != kid for key in published.keys))

    async def _read(self, uri: str, published: _Published) -> None:
        try:
            published.keys = usable_keys(await self._outgoing.get(uri, accept="application/json"))
        except OutgoingFailed as fault:
            log.warning("client_keys_unreadable", uri=uri, reason=str(fault))
        else:
            published.read_at = self._clock()
        finally:
            published.asked_at = self._clock()


def usable_keys(document: bytes) -> list[Jwk]:
    """Those of a JWK Set that this server verifies with; it may hold others. Raises `OutgoingFailed` for what is none."""
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        raise OutgoingFailed("not JSON") from None
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, list):
        raise OutgoingFailed("no JWK Set")
    return [key for key in keys if key_fault(key) is None][:MOST_KEYS]
