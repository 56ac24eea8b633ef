"""Seconds out of a counter that wraps. Deadlines on the loop of the interpreter at hand: one that is over at once, and
one that never is."""

import asyncio

from firmware.runtime.clock import Clock

try:
    from micropython import heap_lock, heap_unlock
except ImportError:  # elsewhere memory never ends; the rest of these tests holds all the same

    def heap_lock():
        pass

    heap_unlock = heap_lock

LONG_MS = 60000
ENDS = MemoryError, ValueError, asyncio.TimeoutError, asyncio.CancelledError


def clock():
    return Clock(lambda: 0, None)


async def ending(task):
    """How it ends: a result or the class of an exception."""
    try:
        return await task
    except ENDS as error:
        return type(error)


async def now(value):
    await asyncio.sleep(0)
    return value


async def never(log):
    try:
        await asyncio.Event().wait()
    finally:
        log.append("ended")


def test_seconds_go_on_where_the_counter_wraps():
    for shift in (0, 30, 31):
        now = [(1 << shift) - 1500]
        running = Clock(lambda now=now: now[0] & (1 << 32) - 1, None)
        assert running.utc() is None
        running.set_utc(1790000000)
        for add, uptime in ((999, 0), (1, 1), (500, 1), (86400000, 86401), (500, 86402), (432000000, 518402)):
            now[0] += add
            assert 0 <= running.ms() < 1 << 30
            assert (running.uptime_s(), running.utc()) == (uptime, 1790000000 + uptime)
        assert running.since((running.ms() - 70000) % (1 << 30)) == 70000
        running.set_utc(1800000000)
        assert running.utc() == 1800000000


async def test_the_result_within_the_deadline():
    assert await clock().within(LONG_MS, now(5)) == 5


async def test_an_error_passes():
    async def fails():
        await asyncio.sleep(0)
        raise ValueError("5")

    assert await ending(clock().within(LONG_MS, fails())) is ValueError


async def test_a_deadline_cancels():
    log = []
    assert await ending(clock().within(0, never(log))) is asyncio.TimeoutError
    assert log == ["ended"]


async def test_a_deadline_expires_exactly_after_its_milliseconds():
    done = []

    async def sleeps(ms):
        await asyncio.sleep(ms / 1000)
        done.append(ms)

    tasks = [asyncio.create_task(sleeps(ms)) for ms in (5, 10000)]
    assert await ending(clock().within(23, never([]))) is asyncio.TimeoutError
    assert done == [5]
    tasks[1].cancel()
    assert await ending(tasks[1]) is asyncio.CancelledError


async def test_an_outer_deadline_cancels_through_an_inner_one():
    log, inner = [], []

    async def inside():
        inner.append(await ending(clock().within(LONG_MS, never(log))))
        raise inner[0]

    assert await ending(clock().within(0, inside())) is asyncio.TimeoutError
    assert log == ["ended"] and inner == [asyncio.CancelledError]


async def test_a_cancelled_wait_raises_no_timeout():
    log = []
    task = asyncio.create_task(clock().within(LONG_MS, never(log)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    assert await ending(task) is asyncio.CancelledError
    assert log == ["ended"]


async def test_a_deadline_that_was_met_cancels_nothing():
    async def at_once():
        return 5

    assert await clock().within(0, at_once()) == 5
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_memory_error_is_no_cancellation():
    """asyncio.wait_for makes one of it, where its word for the error finds no room: then nobody hears of the error."""

    async def fails():
        await asyncio.sleep(0)
        heap_lock()
        raise MemoryError

    async def unlock():
        for _ in range(3):  # wait_for has failed by then, and has not told its caller yet
            await asyncio.sleep(0)
        heap_unlock()

    unlocking = asyncio.create_task(unlock())
    how = await ending(clock().within(LONG_MS, fails()))
    for _ in range(5):
        await asyncio.sleep(0)
    assert unlocking.done() and how is MemoryError
