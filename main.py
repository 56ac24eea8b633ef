"""Runs the firmware. When even its supervisor fails, it makes the outputs safe, prints the error and resets the
chip."""

import gc
import json
import machine
import sys
import time

# Before the imports: what they leave behind would otherwise be strewn over the whole heap before the first collection,
# and no free piece of it large enough for the next module.
gc.threshold(4096)


def main():
    # Before the longest import: this shows that a slow start is running.
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
