"""Runs the tests of one file on a real MicroPython: `micropython portable_runner.py ROOT TEST_FILE`.

Calls every `test_*` of the file, coroutines in an event loop of their own. Failures are printed as they happen; the
last line of standard output is one JSON object, `{"passed": n, "failed": [names]}`: no such line means a crash.
"""

import asyncio
import json
import sys


def call(test):
    result = test()
    # A coroutine is a plain generator here, and no test is one: whatever can be sent to is to be awaited.
    if hasattr(result, "send"):
        asyncio.run(result)
        asyncio.new_event_loop()  # there is one global loop: what this test left in it must not reach the next


def main(root, file):
    # As on the device: our root first, then what the firmware image holds, then /lib.
    folder, _, name = file.rpartition("/")
    image = [place for place in sys.path if place == ".frozen"]
    sys.path[:] = [root] + image + [root + "/lib", folder]
    module = __import__(name[: -len(".py")])
    passed, failed = 0, []
    for name in sorted(dir(module)):
        if name.startswith("test_"):
            try:
                call(getattr(module, name))
                passed += 1
            except Exception as error:  # noqa: BLE001 - one test's failure is not the next one's
                print("FAILED", name)
                sys.print_exception(error)
                failed.append(name)
    print(json.dumps({"passed": passed, "failed": failed}))


main(sys.argv[1], sys.argv[2])
