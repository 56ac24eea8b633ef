"""Counts the pulses at a pin by interrupt. Loaded only if a counter is configured.

MicroPython calls the handler between two bytecode instructions. A TLS handshake executes none for most of a second: up
to eight interrupts are queued meanwhile, further ones are lost.
"""

import machine

from firmware.drivers.board import attempt


def driver(gpio, pull, rising, debounce_ms, ms):
    return Pulses(gpio, pull, rising, debounce_ms, ms)


class Pulses:
    """`count`: pulses since the start. `last`: the time of the last one by `ms()`, None before the first. `pull`: "up",
    "down" or "none". An edge within `debounce_ms` after another is a bounce and not counted."""

    def __init__(self, gpio, pull, rising, debounce_ms, ms):
        self.count = 0
        self.last = self.edge = None
        self.debounce_ms = debounce_ms
        self.ms = ms
        pull = getattr(machine.Pin, "PULL_" + pull.upper(), None)
        self.pin = attempt(gpio, machine.Pin, gpio, machine.Pin.IN, pull)
        trigger = machine.Pin.IRQ_RISING if rising else machine.Pin.IRQ_FALLING
        attempt(gpio, self.pin.irq, self.pulse, trigger)

    def pulse(self, _):
        now = self.ms()
        # The counter may have wrapped: between two pulses there may be weeks.
        if self.edge is None or (now - self.edge) & 0x3FFFFFFF >= self.debounce_ms:
            self.count += 1
            self.last = now
        self.edge = now
