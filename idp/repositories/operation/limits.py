"""
Counters of calls in Redis: `rl:{category:subject}`, a hash of a few buckets that expires with its window.

While Redis is down, each process counts for itself. It asks Redis again in the background: no call waits for a store that
hangs, but for those that find it out.
"""

from __future__ import annotations

import asyncio
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import IPv6Address, ip_address

import structlog

from idp.database import scripts
from idp.database.redis import RedisStore
from idp.domain.errors import StoreUnavailable
from idp.domain.operation.limits import Category, Decision, Limit, OnDecision, Per, unobserved
from idp.repositories.operation.local_limits import LocalLimits

log = structlog.get_logger("idp.limits")

BUCKETS = 30
ASKED_AGAIN = 1.0  # seconds

LIMIT = scripts.load("window", "limit")
RELEASE = scripts.load("release")


class RedisLimits:
    """*key* hides the subjects: neither an address nor a user can be read from the store. *local* decides while it is down."""

    def __init__(
        self,
        redis: RedisStore,
        limits: Mapping[Category, Limit],
        key: bytes,
        local: LocalLimits,
        on_decision: OnDecision = unobserved,
    ) -> None:
        self._redis = redis
        self._limits = limits
        self._key = key
        self._local = local
        self._on_decision = on_decision
        self._recovery: asyncio.Task[None] | None = None

    async def take(self, category: Category, subject: str, size: int = 0) -> Decision | None:
        limit = self._limits.get(category)
        if limit is None:
            return None
        name = self._name(category, subject)
        decision = None if self._recovery else await self._asked(limit, name, size)
        local = decision is None
        if decision is None:
            decision = self._local.take(limit, name, size)
        self._on_decision(category, decision.allowed, local)
        return decision

    async def release(self, category: Category, subject: str, decision: Decision) -> None:
        name = self._name(category, subject)
        # Where the call was counted is not known here. In the other counter its bucket is another, or empty.
        self._local.release(name, decision.bucket)
        if self._recovery is None:
            with suppress(StoreUnavailable):
                await self._redis.run(RELEASE, (name,), decision.bucket)

    async def close(self) -> None:
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.gather(self._recovery, return_exceptions=True)

    async def _asked(self, limit: Limit, name: bytes, size: int) -> Decision | None:
        window = int(limit.window.total_seconds() * 1000)
        try:
            answer = await self._redis.run(LIMIT, (name,), limit.count, window, BUCKETS, size, limit.budget or 0)
        except StoreUnavailable as fault:
            if self._recovery is None:
                log.warning("limits_counted_locally", reason=str(fault))
                self._recovery = asyncio.create_task(self._until_it_answers())
            return None
        allowed, remaining, fits_in, empty_in, bucket = map(int, answer)
        return Decision(
            bool(allowed),
            limit.count,
            remaining,
            reset=seconds(empty_in),
            retry_after=seconds(fits_in),
            bucket=bucket,
        )

    async def _until_it_answers(self) -> None:
        while True:
            await asyncio.sleep(ASKED_AGAIN)
            try:
                await self._redis.ping()
            except StoreUnavailable:
                continue
            break
        log.info("limits_counted_together_again")
        self._recovery = None

    def _name(self, category: Category, subject: str) -> bytes:
        counted = subject
        if category.per in (Per.ADDRESS, Per.ADDRESS_AND_CLIENT):
            address, blank, client = subject.partition(" ")
            counted = network(address) + blank + client
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


def seconds(milliseconds: int) -> int:
    """Whole ones, rounded up."""
    return -(-milliseconds // 1000)
