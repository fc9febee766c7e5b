"""
Which limit a route falls under, declared beside its access policy: `@limited(Category.API)`.

Per address, before anything else is looked at. The categories per user and per client are taken where the user or the client
is known: `Guard.admin`, the refresh and the token endpoint.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from idp.controllers.exchange import current
from idp.domain.limits import Category
from idp.services.rate_limiter import RateLimiter

View = TypeVar("View", bound=Callable[..., Awaitable[Any]])


class Limited:
    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter

    def __call__(self, category: Category) -> Callable[[View], View]:
        def declare(view: View) -> View:
            @functools.wraps(view)
            async def counted(*args: Any, **kwargs: Any) -> Any:
                await self._limiter.take(category, current().address)
                return await view(*args, **kwargs)

            counted.limit = category  # type: ignore[attr-defined]
            return counted  # type: ignore[return-value]

        return declare
