"""Bounds the Python heap of a stock image, before anything else is loaded. Used once and unloaded."""

import gc
import time
from micropython import const

_SECOND_AREA = const(42000)
_PIECE = const(2048)
_SPARE = const(2048)  # what a thread takes beside its stack, and more


def grow():
    """Let the Python heap grow now, and by less than it would; what is returned keeps it so as long as it lives.

    A stock image begins with a heap of 56,000 bytes. Once that is exceeded, as much again is added, or the largest
    piece there is, from the memory that TLS, sockets and Wi-Fi need (docs/memory.md). Here a thread's stack takes the
    rest of that piece for a moment, and a list ends up in the new area: a collection would give back an empty one.
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
            gc.collect()  # what boot.py left would make room for part of the filler
            # More than the first area holds, in pieces that fit between what boot.py left there: so the last one lies
            # in the new area. (`gc.mem_free` counts the largest piece as well.)
            filler = [[None] * (_PIECE // 4) for _ in range((gc.mem_free() - largest()) // _PIECE + 4)]
            pin = filler.pop()
            pin.clear()  # what is left of it stays where it is
            return pin
        finally:  # also where there was no room: a stack that stays leaves none for Wi-Fi
            lock.release()
            # It comes back late, and a radio that starts meanwhile crashes the chip.
            for _ in range(100):
                time.sleep_ms(20)
                # More than what lay beside the stack, which is free where the heap did not grow.
                if largest() > max(before - _SECOND_AREA - _SPARE, _SECOND_AREA):
                    break
    except (ImportError, OSError, RuntimeError, MemoryError) as e:
        print("heap not bounded:", repr(e))
        return None
