"""Loads modules for a while, and checks that their memory is free again afterwards.

Code that runs from the heap takes memory for as long as anything refers to it: a module, an instance of one of its
classes, a coroutine that has not ended. `gone` therefore measures. Importing is synchronous, so it is known exactly
what one import brought, even when several tasks load at the same time.
"""

import gc
import sys
from micropython import const

_TRIES = const(40)
_WAIT_MS = const(25)


class Unit:
    """`importing()` imports what is needed and returns it, for instance a class, not None; it must be a function that
    keeps nothing. `sleep_ms(ms)`: awaitable. `size`: bytes of heap that the latest `load` took."""

    def __init__(self, importing, sleep_ms):
        self.importing = importing
        self.sleep_ms = sleep_ms
        self.names = []
        self.size = 0
        self.used = 0  # when it was dropped, until its memory has come back

    def load(self):
        """What the import returns. Whatever it raises: nothing stays loaded."""
        used = in_use()
        before = set(sys.modules)
        found = None
        try:
            found = self.importing()
            return found
        finally:
            self.names = [name for name in sys.modules if name not in before]
            self.size = in_use() - used
            if not found:
                self.drop()

    def drop(self):
        """Forget the modules: their memory comes back once nothing refers to them any more."""
        self.used = in_use()
        while self.names:
            name = self.names.pop()
            module = sys.modules.pop(name, self)
            parent, _, child = name.rpartition(".")
            parent = sys.modules.get(parent)
            if getattr(parent, child, None) is module:
                delattr(parent, child)

    async def gone(self):
        """Whether the memory of dropped modules came back, after waiting a little for it; True where there are none.

        Half of it is enough: names stay in the interpreter's tables for ever, and other tasks allocate meanwhile.
        """
        for _ in range(_TRIES):
            if self.used and self.used - in_use() < self.size // 2:
                await self.sleep_ms(_WAIT_MS)
            else:
                self.used = 0
        return not self.used


def in_use():
    """Bytes of the Python heap after a collection, 0 on an interpreter without that figure."""
    if not hasattr(gc, "mem_alloc"):
        return 0
    gc.collect()
    return gc.mem_alloc()
