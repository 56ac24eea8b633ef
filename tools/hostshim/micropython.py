"""The few names of MicroPython's `micropython` module that device code uses, for CPython."""


def const(value):
    return value
