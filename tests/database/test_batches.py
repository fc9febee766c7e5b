"""Questions that share round trips; *store* in here is a function that the test lets go on when it wants."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from idp.database.batches import Batches
from idp.domain.errors import StoreUnavailable


class Store:
    """Doubles each question. A question below zero is refused alone; *down* fails the whole round trip."""

    def __init__(self) -> None:
        self.round_trips: list[list[int]] = []
        self.open = asyncio.Event()
        self.down = False

    async def __call__(self, questions: Sequence[int]) -> Sequence[int | BaseException]:
        self.round_trips.append(list(questions))
        await self.open.wait()
        if self.down:
            raise StoreUnavailable(reason="down")
        return [question * 2 if question >= 0 else ValueError(question) for question in questions]


@pytest.fixture
def store() -> Store:
    return Store()


async def asked(batches: Batches[int, int], *questions: int) -> list[asyncio.Task[int]]:
    """Tasks that wait for their answers, each question handed over."""
    tasks = [asyncio.create_task(batches.ask(question)) for question in questions]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_a_lone_question_goes_at_once(store: Store) -> None:
    store.open.set()

    assert await Batches(store).ask(21) == 42


async def test_questions_that_come_during_a_round_trip_go_together_in_the_next(store: Store) -> None:
    batches: Batches[int, int] = Batches(store)
    first = await asked(batches, 1)
    others = await asked(batches, 2, 3, 4)
    store.open.set()

    assert await asyncio.gather(*first, *others) == [2, 4, 6, 8]
    assert store.round_trips == [[1], [2, 3, 4]]


async def test_a_round_trip_takes_no_more_than_the_most(store: Store) -> None:
    batches: Batches[int, int] = Batches(store, most=2)
    waiting = [*await asked(batches, 0), *await asked(batches, 1, 2, 3, 4, 5)]
    store.open.set()

    assert await asyncio.gather(*waiting) == [0, 2, 4, 6, 8, 10]
    assert store.round_trips == [[0], [1, 2], [3, 4], [5]]


async def test_a_refusal_reaches_only_who_asked_for_it(store: Store) -> None:
    batches: Batches[int, int] = Batches(store)
    await asked(batches, 1)
    good, bad, other = await asked(batches, 2, -3, 4)
    store.open.set()

    assert (await good, await other) == (4, 8)
    with pytest.raises(ValueError, match="-3"):
        await bad


async def test_a_failed_round_trip_reaches_all_in_it_and_all_who_wait_behind(store: Store) -> None:
    """Else a store that hangs would answer one round of questions per deadline, and the queue would grow without end."""
    batches: Batches[int, int] = Batches(store, most=2)
    waiting = [*await asked(batches, 1), *await asked(batches, *range(100))]
    store.down = True
    store.open.set()

    outcomes = await asyncio.gather(*waiting, return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
    assert store.round_trips == [[1]]


async def test_after_a_failed_round_trip_the_next_question_is_asked_anew(store: Store) -> None:
    batches: Batches[int, int] = Batches(store)
    store.down = True
    store.open.set()
    with pytest.raises(StoreUnavailable):
        await batches.ask(1)
    store.down = False

    assert await batches.ask(1) == 2


async def test_a_caller_that_goes_away_leaves_the_others_alone(store: Store) -> None:
    batches: Batches[int, int] = Batches(store)
    under_way = await asked(batches, 1)
    gone, stays = await asked(batches, 2, 3)
    under_way[0].cancel()
    gone.cancel()
    store.open.set()

    assert await stays == 6
    assert store.round_trips == [[1], [3]]


async def test_nothing_is_left_running_when_all_is_answered(store: Store) -> None:
    store.open.set()
    batches: Batches[int, int] = Batches(store)

    await asyncio.gather(*await asked(batches, *range(300)))
    await asyncio.sleep(0)

    # A server of other tests may run in this loop: its tasks come and go.
    running = {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()}
    assert not {name for name in running if name.startswith("Batches.")}
