"""Runs the firmware. If that raises an exception, drives the outputs to their safe level, prints the error and resets
the chip."""

import gc
import json
import machine
import sys
import time

# Before the imports: otherwise they would leave objects all over the heap before the first collection, and no free
# block large enough for the next module.
gc.threshold(4096)


def main():
    # Printed before the longest import, to show that the start is running.
    print("starting, slot", sys.path[0][1:] if sys.path[0] in ("/a", "/b", "/rom") else "root")
    try:
        import firmware.heap

        pin = firmware.heap.grow()
        del sys.modules["firmware.heap"], firmware.heap
        from firmware.device import run

        run(print)
        del pin
    except KeyboardInterrupt:
        print("stopped, outputs are safe; machine.reset() starts again")
    except BaseException as e:
        try:
            # From the record of boot.py, without any of our modules, because they may be broken.
            with open("boot.json") as f:
                for gpio, _, safe in json.load(f)["outputs"]:
                    machine.Pin(gpio, machine.Pin.OUT, value=safe)
        except MemoryError:
            machine.reset()  # releases every pin
        except Exception as also:
            print("outputs:", repr(also))
        sys.print_exception(e)
        time.sleep(5)  # allows Ctrl-C, and keeps repeated resets from making relays flicker
        machine.reset()


main()
