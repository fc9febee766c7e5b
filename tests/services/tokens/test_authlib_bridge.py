"""The greenlet bridge between Authlib and async code."""

from __future__ import annotations

import asyncio
import contextvars
import traceback
from typing import Any

import pytest
from raw_http import connection
from world import World

from idp.services.tokens.authlib_bridge import AsyncHooks, hook, run

here: contextvars.ContextVar[str] = contextvars.ContextVar("here", default="nowhere")


@hook
async def waited(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


@hook
async def failing() -> None:
    await asyncio.sleep(0)
    raise LookupError("in the hook")


async def test_a_synchronous_function_waits_for_its_hooks() -> None:
    def twice(first: int, *, second: int) -> int:
        return waited(first) + waited(second)

    assert await run(twice, 1, second=2) == 3


async def test_a_function_without_hooks_just_returns() -> None:
    assert await run(lambda: "x") == "x"


async def test_context_variables_are_seen_both_ways() -> None:
    @hook
    async def moved() -> str:
        before = here.get()
        here.set("hook")
        return before

    def inside() -> tuple[str, str, str]:
        before = here.get()
        here.set("function")
        return before, moved(), here.get()

    here.set("caller")
    assert await run(inside) == ("caller", "function", "hook")
    assert here.get() == "hook"


async def test_a_hook_runs_in_the_task_of_its_caller() -> None:
    @hook
    async def task() -> Any:
        return asyncio.current_task()

    assert await run(task) is asyncio.current_task()


async def test_an_error_in_a_hook_is_raised_where_it_was_called() -> None:
    """With its traceback, so that Authlib's own `except` works and the log tells where."""

    def handled() -> str:
        try:
            failing()
        except LookupError as error:
            return "".join(traceback.format_exception(error))
        return "nothing"

    assert "in failing" in await run(handled)


async def test_an_error_leaves_the_bridge_as_it_is() -> None:
    with pytest.raises(LookupError, match="in the hook"):
        await run(failing)
    with pytest.raises(ZeroDivisionError):
        await run(lambda: 1 // waited(0))


async def test_what_must_be_done_finally_is_done() -> None:
    done = []

    def cleaning() -> None:
        try:
            failing()
        finally:
            done.append(waited("cleaned"))

    with pytest.raises(LookupError):
        await run(cleaning)
    assert done == ["cleaned"]


async def test_a_timeout_ends_what_waits_in_a_hook() -> None:
    seen = []

    def waiting() -> None:
        try:
            forever()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await run(waiting)
    assert seen == ["cancelled"]


@hook
async def forever() -> None:
    await asyncio.Event().wait()


async def test_a_cancelled_request_does_nothing_more() -> None:
    done = []

    def first_then_second() -> None:
        forever()
        done.append("second")

    task = asyncio.create_task(run(first_then_second))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == []


async def test_bridges_nest() -> None:
    @hook
    async def inner(value: int) -> int:
        return await run(lambda: waited(value) + 1)

    assert await run(lambda: inner(1) + inner(10)) == 13


async def test_many_at_once_do_not_mix() -> None:
    def counted(number: int) -> list[int]:
        here.set(str(number))
        return [waited(number), int(here.get()), waited(number)]

    results = await asyncio.gather(*(run(counted, number) for number in range(200)))

    assert results == [[number] * 3 for number in range(200)]


async def test_a_hook_outside_of_the_bridge_is_an_error_and_no_truth() -> None:
    """A coroutine is truthy: Authlib would take it for a user or a client."""
    with pytest.raises(RuntimeError, match="outside of run"):
        waited(1)
    with pytest.raises(RuntimeError, match="outside of run"):
        await run(lambda: asyncio.get_running_loop()) and waited(1)


class Stock:
    def find(self, key: str) -> str:
        return f"stock {key}"

    def plain(self) -> str:
        return "plain"

    async def own(self) -> str:
        return "stock coroutine"


async def test_async_methods_that_override_plain_ones_become_hooks() -> None:
    class Ours(AsyncHooks, Stock):
        async def find(self, key: str) -> str:
            await asyncio.sleep(0)
            return f"ours {key}"

        async def own(self) -> str:
            return "our coroutine"

        async def new(self) -> str:
            return "new"

    class Further(Ours):
        async def plain(self) -> str:
            return "further"

    ours, further = Ours(), Further()
    assert await run(lambda: ours.find("a")) == "ours a"
    assert await run(lambda: (further.find("b"), further.plain())) == ("ours b", "further")
    assert (ours.plain(), await ours.own(), await ours.new()) == ("plain", "our coroutine", "new")


async def test_a_caller_who_goes_away_in_mid_request_leaves_the_server_well(world: World) -> None:
    """DS6: whether before or after the hook was reached, the family is whole."""
    tokens = await world.signed_in(await world.client(public=True))
    body = f"grant_type=refresh_token&client_id={tokens.client_id}&refresh_token={tokens.refresh_token}".encode()
    head = b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"

    for _ in range(50):
        async with connection(world.settings.issuer) as raw:
            await raw.send(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    assert (await world.refresh(tokens)).status_code == 200
