"""Makes this port the image of an ESP32 as far as Python code sees it: modules that the chip has, none that it lacks.

`/image` holds what is to be had, `.frozen` the port's own library, which no ESP32 has, but for asyncio.
"""

import sys

_PROVIDED = ("socket", "tls")
_BLOCKING = ("asyncio", "asyncio.event", "asyncio.funcs", "asyncio.lock")


def install():
    sys.path[:] = ["/image", ".frozen"]
    for name in ("time", "os", "io", "binascii", "collections") + _BLOCKING:
        sys.modules.pop(name, None)
        __import__(name)
    for name in _PROVIDED:
        __import__(name)
    import _blocking

    _blocking.install()
    sys.path[:] = ["", "/lib"]
