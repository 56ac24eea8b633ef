"""Tasks that run code of a unit."""

import asyncio


def start(coroutine):
    """Return a task that runs `coroutine` and does not refer to it after it has ended. A task made by
    asyncio.create_task does, and its neighbour in the event loop's queue may refer to that task until the neighbour
    itself is due, because removing a node does not clear links to it (py/pairheap.c)."""
    return asyncio.create_task(_run([coroutine]))


async def _run(box):
    try:
        await box.pop()
    finally:
        box = None  # a statement in `finally`, so that the stack slot that held the coroutine is overwritten
