"""`io` of the interpreter, as on an ESP32: this port hides it behind one in Python, which
takes less and gives other results."""

from uio import *  # noqa: F403
