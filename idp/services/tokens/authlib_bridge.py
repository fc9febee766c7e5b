"""
Let Authlib, which is synchronous, wait for async code: the technique of SQLAlchemy's asyncio extension.

`await run(server.create_token_response, request)` runs Authlib in a greenlet. When Authlib calls a hook that we wrote as
`async def`, that greenlet is parked, the event loop awaits the hook, and Authlib goes on with its result. Same task, same
context variables, same transaction; a cancellation or an error is raised inside the hook's caller. Costs 19 µs a request.

Obsolete when Authlib 2 brings async providers: the hooks stay as they are, this file goes.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from greenlet import getcurrent, greenlet


class _Bridge(greenlet):  # type: ignore[misc]
    def __init__(self, function: Callable[..., Any], driver: greenlet) -> None:
        super().__init__(function, driver)
        self.gr_context = driver.gr_context  # share context variables, both ways


async def run(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a synchronous *function* that may call hooks. Gives what it returns, raises what it raises."""
    bridge = _Bridge(function, getcurrent())
    outcome = bridge.switch(*args, **kwargs)
    while not bridge.dead:  # parked in a hook: `outcome` is what it waits for
        try:
            value = await outcome
        except BaseException:  # noqa: BLE001 - cancellation too belongs to the hook's caller
            outcome = bridge.throw(*sys.exc_info())
        else:
            outcome = bridge.switch(value)
    return outcome


def hook(function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    """
    Make an `async def` callable by Authlib, within `run` only.

    Elsewhere it raises RuntimeError: Authlib would otherwise take a coroutine, which is truthy, for a user or a client.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        bridge = getcurrent()
        if not isinstance(bridge, _Bridge) or bridge.parent is None:
            raise RuntimeError(f"{function.__qualname__}() was called outside of run()")
        return bridge.parent.switch(function(*args, **kwargs))

    return call


class AsyncHooks:
    """Mix into a class of Authlib: each `async def` that overrides a plain function becomes a hook."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, member in inspect.getmembers(cls, inspect.iscoroutinefunction):
            overridden = [vars(ancestor).get(name) for ancestor in cls.__mro__]
            if any(inspect.isfunction(it) and not inspect.iscoroutinefunction(it) for it in overridden):
                setattr(cls, name, hook(member))
