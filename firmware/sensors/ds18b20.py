"""A DS18B20 on a 1-Wire bus: degrees Celsius. Several can share a bus if each is configured with its address.

Source: DS18B20 data sheet (Analog Devices, 19-7487): commands, scratchpad, checksum; a conversion takes 750 ms.
"""

import binascii
from micropython import const

from firmware.core.errors import DriverError
from firmware.core.timing import Timer

RULES = """

ds18b20
gpio $outputs
address id 16 =none
period_s 1..3600 =5
deadband 0.0..50 =0.2
min -60.0..200 =-55
max -60.0..200 =125

"""

_CONVERSION_MS = const(750)
_FRESH_MS = const(2000)
_SKIP = b"\xcc"
_MATCH = b"\x55"
_CONVERT = b"\xcc\x44"
_READ = b"\xbe"


def driver(cfg, board, clock, store):
    return Ds18b20(cfg, board, clock)


class Ds18b20:
    """`shared`: the bus, one object for all its sensors (`firmware/app.py`)."""

    def __init__(self, cfg, board, clock):
        self.clock = clock
        self.shared = board.bus("one_wire", cfg["gpio"])
        address = cfg.get("address")
        self.select = (_MATCH + binascii.unhexlify(address) if address else _SKIP) + _READ

    async def read(self):
        """Return a tuple with degrees Celsius. All sensors of a bus convert at the same time, so only the first one
        that is read waits for it. DriverError: no answer, a wrong checksum, or the value of a sensor that has just been
        powered up (85 °C)."""
        bus, clock = self.shared, self.clock
        if not bus.converted or bus.converted.ms(clock.ms()) > _FRESH_MS:
            bus.converted = None
            bus.send(_CONVERT)
            started = Timer(clock.ms())
            await clock.sleep_ms(_CONVERSION_MS)
            bus.converted = started
        bus.send(self.select)
        data = bus.receive(9)
        # The configuration byte is checked too, because a bus that is held low reads as zeros, whose checksum is right.
        if crc8(data) or data[4] & 0x9F != 0x1F:
            bus.converted = None
            silent = data == b"\xff" * 9
            raise DriverError("no sensor with that address answers" if silent else "garbled: wrong checksum")
        raw = data[0] | data[1] << 8
        if raw == 0x0550:
            bus.converted = None
            raise DriverError("85 degrees: it lost power while measuring")
        return ((raw - 0x10000 if raw & 0x8000 else raw) / 16,)


def crc8(data):
    """Return the CRC-8 of the bytes (polynomial 0x31, reflected); 0 if the last byte is the CRC of the others."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc
