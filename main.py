"""Runs the firmware. When even its own supervision fails: outputs safe, say why, reset."""

import gc
import json
import machine
import sys
import time

# Before the imports: what they leave behind would otherwise be strewn over the whole heap before the first collection,
# and no free piece of it large enough for the next module.
gc.threshold(4096)


_SECOND_AREA = 42000


def grow_heap():
    """Let the Python heap grow now, and by less than it would; what is returned keeps it so as long as it lives.

    A stock image begins with a heap of 56,000 bytes. Once that is exceeded, as much again is added, or the largest
    piece there is, from the memory that TLS, sockets and Wi-Fi need (docs/memory.md). Here a thread's stack takes the
    rest of that piece for a moment, and a list ends up in the new area: a collection would give back an empty one.
    """
    if sys.path[0] == "/rom":  # code in place, for which the first area is enough
        return None
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
        # Two pieces, of which the first area has room for one.
        half = (gc.mem_free() - largest()) // 2 + 2048
        filler = bytearray(half)
        pin = [None] * (half // 4)
        gc.collect()
        pin.clear()  # what is left of it stays where it is
        lock.release()
        # The stack comes back late, and a radio that starts meanwhile crashes the chip.
        for _ in range(100):
            time.sleep_ms(20)
            if largest() > _SECOND_AREA:
                break
        return pin, filler[:0]
    except (ImportError, OSError, RuntimeError, MemoryError) as e:
        print("heap not bounded:", repr(e))
        return None


def main():
    # Before the longest import: a slow start can be told from a dead one.
    print("starting, slot", sys.path[0][1:] if sys.path[0] in ("/a", "/b", "/rom") else "root")
    try:
        from firmware.device import run

        run(print)
    except KeyboardInterrupt:
        print("stopped, outputs are safe; machine.reset() starts again")
    except BaseException as e:
        try:
            # What boot.py recorded, without any of our modules: they may be what is broken.
            with open("boot.json") as f:
                for gpio, _, safe in json.load(f)["outputs"]:
                    machine.Pin(gpio, machine.Pin.OUT, value=safe)
        except MemoryError:
            machine.reset()  # lets go of every pin
        except Exception as also:
            print("outputs:", repr(also))
        sys.print_exception(e)
        time.sleep(5)  # for Ctrl-C, and for a reset not to become a flicker of relays
        machine.reset()


pin = grow_heap()
del grow_heap
main()
