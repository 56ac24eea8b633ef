"""Load modules temporarily, and check that their memory is free again after they were unloaded.

Code in the heap takes memory as long as anything refers to it: a module, an instance of one of its classes, a coroutine
that has not ended. `gone` therefore measures. Imports are synchronous, so the modules that one import adds are known
exactly, even if several tasks load units.
"""

import gc
import sys
from micropython import const

_TRIES = const(40)
_WAIT_MS = const(25)


class Unit:
    """`importing()`: imports modules and returns something of them that is true, such as a class; it must not keep a
    reference to it. `sleep_ms(ms)`: coroutine function. `size`: bytes of heap that the last `load` took."""

    def __init__(self, importing, sleep_ms):
        self.importing = importing
        self.sleep_ms = sleep_ms
        self.names = []
        self.size = 0
        self.used = 0  # bytes of heap in use when the unit was dropped; 0 once its memory is free again

    def load(self):
        """Return what `importing` returns. Whatever that raises, nothing stays loaded then."""
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
        """Unload the modules. Their memory is free once nothing refers to them any more."""
        self.used = in_use()
        while self.names:
            name = self.names.pop()
            module = sys.modules.pop(name, self)
            parent, _, child = name.rpartition(".")
            parent = sys.modules.get(parent)
            if getattr(parent, child, None) is module:
                delattr(parent, child)

    async def gone(self):
        """Wait up to a second until the memory of the dropped modules is free; return whether it is. True if none were
        dropped.

        Half of their size counts as all of it: interned names stay for ever, and other tasks allocate meanwhile.
        """
        for _ in range(_TRIES):
            if self.used and self.used - in_use() < self.size // 2:
                await self.sleep_ms(_WAIT_MS)
            else:
                self.used = 0
        return not self.used


def in_use():
    """Return the bytes in use in the Python heap after a collection, 0 if the interpreter does not say (CPython)."""
    if not hasattr(gc, "mem_alloc"):
        return 0
    gc.collect()
    return gc.mem_alloc()
