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


def reserve():
    """A lock for which a thread waits: its stack takes what the Python heap must not take when it grows.

    A stock image begins with a heap of 56,000 bytes. Once that is exceeded, as much again is added from the memory that
    TLS, sockets and Wi-Fi need, or the largest piece that is free: with this, _SECOND_AREA bytes (docs/memory.md). None
    where there is no such memory, or so much that it does not matter.
    """
    try:
        import _thread
        import esp32

        largest = max([region[2] for region in esp32.idf_heap_info(esp32.HEAP_DATA)])
        if not _SECOND_AREA < largest < 4 * _SECOND_AREA:
            return None
        lock = _thread.allocate_lock()
        lock.acquire()
        _thread.stack_size(largest - _SECOND_AREA)
        _thread.start_new_thread(lock.acquire, ())
        return lock
    except (ImportError, OSError, RuntimeError, MemoryError) as e:
        print("no reserve:", repr(e))
        return None


def main():
    # Before the longest import: a slow start can be told from a dead one.
    print("starting, slot", sys.path[0][1:] if sys.path[0] in ("/a", "/b", "/rom") else "root")
    try:
        held = reserve()
        from firmware.device import run

        run(print, held)
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


main()
