"""
Which limit a route falls under, declared beside its access policy: `@limited(Category.API)`.

Per address, before anything else is looked at. What is counted per user or per client is taken where that is known: in `Guard`,
at the refresh and at the token endpoint.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from idp.controllers.http.exchange import current
from idp.domain.operation.limits import Category
from idp.services.operation.rate_limiter import RateLimiter

View = TypeVar("View", bound=Callable[..., Awaitable[Any]])


class Limited:
    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter

    def where_counted(self, category: Category) -> Callable[[View], View]:
        """For a view that counts some of its calls only, with `count`."""

        def declare(view: View) -> View:
            view.limit = category  # type: ignore[attr-defined]
            return view

        return declare

    async def count(self, category: Category) -> None:
        """The call that is served now, per address. Raises `RateLimited`."""
        await self._limiter.take(category, current().address)

    def __call__(self, category: Category) -> Callable[[View], View]:
        def declare(view: View) -> View:
            if getattr(view, "access", None) == "user":
                view.limit = category  # type: ignore[attr-defined]
                return view

            @functools.wraps(view)
            async def counted(*args: Any, **kwargs: Any) -> Any:
                if category is Category.LOGIN:
                    async with self._limiter.sign_in(current().address):
                        return await view(*args, **kwargs)
                await self._limiter.take(category, current().address)
                return await view(*args, **kwargs)

            counted.limit = category  # type: ignore[attr-defined]
            return counted  # type: ignore[return-value]

        return declare
