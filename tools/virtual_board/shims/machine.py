"""`machine` of the ESP32 port, as far as a control device needs it. The rules live on the host, in `chip.py`.

Part of the virtual board, never of a device.
"""

import binascii
import time

import _link

_ask = _link.ask
_RESET = b"\x01 reset\n"
_pins, _adcs = {}, {}
"""The one object of each pin, and of the ADC of each that has one: on a chip they are in its flash."""
_handlers = {}
_memory, _kept = [bytearray(256)], [-1]
"""Of the clock, and how many bytes of it are kept, -1: that was not asked yet. On a chip it is outside of the heap."""


def __getattr__(name):
    return int(_ask("constant", "machine", name))


def reset():
    if _link.before[0]:
        _link.before[0](True)
    _link.tell(_RESET)  # as on a chip, also where no memory is left
    while True:
        time.sleep(1)


def soft_reset():
    raise SystemExit


def reset_cause():
    return int(_ask("cause"))


def unique_id():
    return binascii.unhexlify(_ask("uid"))


def freq():
    return 160000000


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __new__(cls, id, *args, **options):
        return id if isinstance(id, Pin) else _pins.get(id) or object.__new__(cls)

    def __init__(self, id, mode=None, pull=-1, value=-1):
        if self is not id:
            self._gpio = id
        self.init(mode, pull, value)

    def init(self, mode=None, pull=-1, value=-1):
        if value != -1:
            value = 1 if value else 0
        _ask("pin", self._gpio, mode, pull, value)

    def value(self, value=-1):
        if value == -1:
            return int(_ask("get", self._gpio))
        _ask("set", self._gpio, 1 if value else 0)

    __call__ = value

    def irq(self, handler=None, trigger=3):
        _handlers[self._gpio] = handler
        _link.edges[0] = _edges
        _ask("irq", self._gpio, trigger)

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def __repr__(self):
        return "Pin(%d)" % self._gpio


class ADC:
    ATTN_0DB = 0
    ATTN_2_5DB = 1
    ATTN_6DB = 2
    ATTN_11DB = 3

    def __new__(cls, pin, *args, **options):
        gpio = pin._gpio if isinstance(pin, Pin) else pin
        return _adcs.get(gpio) or object.__new__(cls)

    def __init__(self, pin, atten=3):
        self._gpio = pin._gpio if isinstance(pin, Pin) else pin
        _ask("adc", self._gpio)
        self.atten(atten)

    def atten(self, atten):
        if not 0 <= atten <= 3:
            raise ValueError("invalid attenuation")
        self._atten = atten

    def read(self):
        return int(_ask("raw", self._gpio, self._atten))

    def read_u16(self):
        raw = self.read()
        return raw << 4 | raw >> 8

    def read_uv(self):
        return int(_ask("uv", self._gpio, self._atten))


class PWM:
    def __init__(self, pin, freq=1000, duty_u16=0):
        self._gpio, self._freq = pin._gpio, freq
        self.duty_u16(duty_u16)

    def duty_u16(self, duty=-1):
        return int(_ask("pwm", self._gpio, self._freq, duty))


class SoftI2C:
    def __init__(self, scl, sda, *, freq=400000, timeout=50000):
        self._pins = sda._gpio, scl._gpio
        _ask("i2c", *self._pins)

    def writeto(self, addr, buf, stop=True):
        return int(_ask("i2c_write", *self._pins, addr, _link.packed(buf)))

    def readfrom(self, addr, nbytes, stop=True):
        return binascii.unhexlify(_ask("i2c_read", *self._pins, addr, nbytes))

    def readfrom_mem(self, addr, memaddr, nbytes):
        self.writeto(addr, bytes((memaddr,)), False)
        return self.readfrom(addr, nbytes)

    def scan(self):
        found = []
        for addr in range(8, 0x78):
            try:
                self.writeto(addr, b"")
                found.append(addr)
            except OSError:
                pass
        return found


def _edges(line):
    gpio, count = line[1:].split()
    pin = _pins[int(gpio)]
    for _ in range(min(int(count), 8)):  # as many as the scheduler of a chip keeps
        _handlers[int(gpio)](pin)


def dht_readinto(pin, buf):
    buf[:] = binascii.unhexlify(_ask("dht", pin._gpio))


class WDT:
    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError
        _ask("wdt", timeout)

    def feed(self):
        _ask("feed")


class RTC:
    def datetime(self, value=None):
        if value is None:
            return tuple([int(word) for word in _ask("rtc").split()])
        _ask("rtc", *value)

    def memory(self, data=None):
        if data is None:
            if _kept[0] < 0:
                _keep(binascii.unhexlify(_ask("mem")))
            return bytes(memoryview(_memory[0])[: _kept[0]])
        _kept[0] = -1
        _link.ask_bytes("mem", data)
        _keep(data)


def _keep(data):
    _kept[0] = len(data)
    if _kept[0] > len(_memory[0]):
        _memory[0] = bytearray(_kept[0])
    _memory[0][: _kept[0]] = data


for _gpio in range(49):
    _pins[_gpio] = object.__new__(Pin)
    _pins[_gpio]._gpio = _gpio
for _gpio in list(range(11)) + list(range(32, 40)):
    _adcs[_gpio] = object.__new__(ADC)
    _adcs[_gpio]._gpio = _adcs[_gpio]._atten = _gpio
