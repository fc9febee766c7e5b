"""Passwords are hashed in few threads with a short queue, and by a deadline."""

import asyncio
import os
import threading
from datetime import timedelta

import pytest
from passlib.hash import bcrypt_sha256
from watched_bcrypt import RIGHT

from idp.domain.errors import PasswordsBusy
from idp.gateways.passwords import default_threads


async def submitted(job):
    """*job* as a task that has asked the pool."""
    task = asyncio.create_task(job)
    for _ in range(3):
        await asyncio.sleep(0)
    return task


async def test_the_loop_keeps_running_while_a_password_is_hashed(new, watched):
    hashing = await watched.held(new().hash(RIGHT))

    for _ in range(100):
        await asyncio.sleep(0)

    assert not hashing.done()
    watched.gate.set()
    assert bcrypt_sha256.verify(RIGHT, await hashing)


async def test_no_more_threads_run_than_were_given(new, watched):
    passwords = new(threads=2)

    await asyncio.gather(*(passwords.hash(RIGHT) for _ in range(10)))

    names = {name for name, _ in watched.threads}
    assert 1 <= len(names) <= 2
    assert all(name.startswith("bcrypt") for name in names)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux gives each thread its own niceness")
async def test_bcrypt_runs_at_low_priority_and_the_loop_does_not(new, watched):
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    hashing = await watched.held(new().hash(RIGHT))

    assert os.getpriority(os.PRIO_PROCESS, watched.threads[0][1]) == max(before, 10)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
    watched.gate.set()
    await hashing


async def test_more_than_can_be_done_in_time_is_refused_at_once_and_none_hangs(new, watched, clock):
    passwords = new(deadline=timedelta(milliseconds=5), clock=clock)
    running = await watched.held(passwords.hash(RIGHT))
    jobs = [await submitted(passwords.hash(RIGHT)) for _ in range(50)]

    refused = [job.exception() for job in jobs if job.done()]
    watched.gate.set()
    async with asyncio.timeout(30):
        results = await asyncio.gather(running, *jobs, return_exceptions=True)

    assert 0 < len(refused) < 50
    assert [result for result in results if not isinstance(result, str)] == refused
    assert all(isinstance(busy, PasswordsBusy) and busy.retry_after >= 1 and RIGHT not in str(busy) for busy in refused)
    assert await passwords.hash(RIGHT)


async def test_the_refusal_says_when_the_queue_will_be_done(new, watched, clock):
    passwords = new(clock=clock)
    slow = await watched.held(passwords.hash(RIGHT))
    clock.now += 100
    watched.gate.set()
    await slow
    running = await watched.held(passwords.hash(RIGHT))
    waiting = await submitted(passwords.hash(RIGHT))

    with pytest.raises(PasswordsBusy) as refused:
        await passwords.hash(RIGHT)

    assert refused.value.retry_after == 21
    watched.gate.set()
    await asyncio.gather(running, waiting)


async def test_one_slow_hash_does_not_refuse_whoever_comes_to_an_empty_queue(new, watched, clock):
    passwords = new(clock=clock)
    slow = await watched.held(passwords.hash(RIGHT))
    clock.now += 1_000
    watched.gate.set()
    await slow

    assert await passwords.hash(RIGHT)


async def test_who_has_waited_past_the_deadline_is_refused_without_work(new, watched, clock):
    passwords = new(clock=clock, deadline=timedelta(seconds=3))
    running = await watched.held(passwords.hash(RIGHT))
    waiting = await submitted(passwords.hash(RIGHT))

    clock.now += 4
    watched.gate.set()

    with pytest.raises(PasswordsBusy):
        await waiting
    await running
    assert len(watched.rounds) == 1


async def test_who_went_away_while_waiting_costs_nothing_and_holds_no_place(new, watched, clock):
    passwords = new(deadline=timedelta(milliseconds=5), clock=clock)
    running = await watched.held(passwords.hash(RIGHT))
    for _ in range(20):
        gone = await submitted(passwords.hash(RIGHT))
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone

    watched.gate.set()
    await running
    await passwords.hash(RIGHT)

    assert len(watched.rounds) == 2


async def test_closing_refuses_whoever_waits_and_whoever_comes(new, watched):
    passwords = new()
    running = await watched.held(passwords.hash(RIGHT))
    waiting = await submitted(passwords.hash(RIGHT))

    passwords.close()
    watched.gate.set()

    with pytest.raises(PasswordsBusy):
        await waiting
    with pytest.raises(PasswordsBusy):
        await passwords.verify(RIGHT, None)
    assert await running
    passwords.close()


@pytest.mark.parametrize(("workers", "threads"), [(1, 7), (2, 3), (3, 2), (8, 1), (100, 1)])
def test_the_processes_share_all_cores_but_one(monkeypatch, workers, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)

    assert default_threads(workers) == threads
