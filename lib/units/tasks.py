"""Tasks of code that will be dropped."""

import asyncio


def start(coroutine):
    """A task that runs a coroutine and does not refer to it after its end. One made by asyncio.create_task does, and
    its neighbour in the loop's queue may refer to that task until it is due itself: removing a node leaves the link to
    it (py/pairheap.c)."""
    return asyncio.create_task(_run([coroutine]))


async def _run(box):
    try:
        await box.pop()
    finally:
        box = None  # `finally` puts something else in its place on the stack
