"""`time` whose sleeps pass at once: the port's own waits in a circle until a clock has moved that nobody moves."""

import _host
from utime import *  # noqa: F403  all the rest is the port's


def sleep_ms(ms):
    if ms > 0:
        _host.wait(ms)


def sleep_us(us):
    sleep_ms((us + 999) // 1000)


def sleep(s):
    sleep_ms(int(s * 1000))
