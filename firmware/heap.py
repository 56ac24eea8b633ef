"""Bound the Python heap of a stock image before anything else is loaded. Used once and unloaded."""

import gc
import time
from micropython import const

_SECOND_AREA = const(42000)
_PIECE = const(2048)
_SPARE = const(2048)  # at least what a thread takes in addition to its stack


def grow():
    """Make the Python heap grow now, by less than it otherwise would. Keep a reference to the returned object: the new
    area exists as long as that does.

    A stock image begins with a heap of 56,000 bytes. When that is exceeded, it adds as much again, or the largest free
    block, from the memory that TLS, sockets and Wi-Fi need (docs/memory.md). Here the stack of a thread occupies the
    rest of that block while the heap grows, and a list stays in the new area, because a collection would release an
    empty one.
    """
    try:
        import _thread
        import esp32

        def largest():
            return max([region[2] for region in esp32.idf_heap_info(esp32.HEAP_DATA)])

        before = largest()
        if not _SECOND_AREA < before < 4 * _SECOND_AREA:
            return None
        lock = _thread.allocate_lock()
        lock.acquire()
        _thread.stack_size(before - _SECOND_AREA)
        _thread.start_new_thread(lock.acquire, ())
        try:
            gc.collect()  # otherwise a collection on the way would free garbage of boot.py for part of the filler
            # More than fits into the first area, in pieces that fit into its gaps, so that the last one lies in the
            # new area. (`gc.mem_free` includes the largest free block of ESP-IDF.)
            filler = [[None] * (_PIECE // 4) for _ in range((gc.mem_free() - largest()) // _PIECE + 4)]
            pin = filler.pop()
            pin.clear()  # the empty list still lies in the new area
            return pin
        finally:  # also after an error: a stack that stays leaves no memory for Wi-Fi
            lock.release()
            # The stack is freed with a delay, and starting the radio before that crashes the chip.
            for _ in range(100):
                time.sleep_ms(20)
                # Compared with the rest of the block too, which is still free if the heap did not grow.
                if largest() > max(before - _SECOND_AREA - _SPARE, _SECOND_AREA):
                    break
    except (ImportError, OSError, RuntimeError, MemoryError) as e:
        print("heap not bounded:", repr(e))
        return None
