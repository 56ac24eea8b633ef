"""`os` of the interpreter alone, and the random bytes that an ESP32's has."""

import _host
from uos import *  # noqa: F403


def urandom(n):
    return bytes([_host.random8() for _ in range(n)])
