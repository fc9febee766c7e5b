"""Counters of calls in Redis: `rl:{category:subject}`, a hash of a few buckets that expires with its window."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address

from idp.database import scripts
from idp.database.redis import RedisStore
from idp.domain.limits import Category, Decision, Limit, Per

BUCKETS = 30

LIMIT = scripts.load("limit")


class RedisLimits:
    """*key* hides the subjects: neither an address nor a user can be read from the store."""

    def __init__(self, redis: RedisStore, limits: Mapping[Category, Limit], key: bytes) -> None:
        self._redis = redis
        self._limits = limits
        self._key = key

    async def take(self, category: Category, subject: str) -> Decision | None:
        limit = self._limits.get(category)
        if limit is None:
            return None
        window = int(limit.window.total_seconds() * 1000)
        answer = await self._redis.run(LIMIT, self._name(category, subject), limit.count, window, BUCKETS)
        allowed, remaining, fits_in, empty_in = map(int, answer)
        return Decision(bool(allowed), limit.count, remaining, reset=_seconds(empty_in), retry_after=_seconds(fits_in))

    def _name(self, category: Category, subject: str) -> bytes:
        counted = network(subject) if category.per is Per.ADDRESS else subject
        digest = hmac.digest(self._key, f"{category}:{counted}".encode("utf-8", "surrogatepass"), "sha256")
        return b"rl:{" + urlsafe_b64encode(digest[:15]) + b"}"


def network(address: str) -> str:
    """What is counted as one: an IPv4 address, also when written as IPv6, or the /64 of an IPv6 one."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> 64 << 64))


def _seconds(milliseconds: int) -> int:
    return -(-milliseconds // 1000)
