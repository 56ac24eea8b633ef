"""An SHT30, SHT31 or SHT35 on an I2C bus: degrees Celsius, and where configured relative humidity in percent.

Source: SHT3x-DIS data sheet (Sensirion, version 7): commands, conversion, checksum. A measurement takes at most 15.5
ms.
"""

from micropython import const

from firmware.core.errors import DriverError

RULES = """

sht3x
sda $outputs
scl $outputs
i2c_address 68|69 =68
period_s 1..3600 =5
deadband 0.0..50 =0.2
min -60.0..200 =-40
max -60.0..200 =125
humidity object =null

"""

_MEASURE = b"\x24\x00"  # single shot, high repeatability, no clock stretching
_MEASURE_MS = const(20)


def driver(cfg, board, clock, store):
    return Sht3x(cfg, board, clock)


class Sht3x:
    """`shared`: the bus, one object for all its sensors (`firmware/app.py`)."""

    def __init__(self, cfg, board, clock):
        self.shared = board.bus("i2c", cfg["sda"], cfg["scl"])
        self.address = cfg["i2c_address"]
        self.clock = clock
        self.count = cfg["count"]

    async def read(self):
        """Return (degrees Celsius, percent), or (degrees,) if no humidity is configured. DriverError: no answer, or a
        wrong checksum."""
        self.shared.write(self.address, _MEASURE)
        await self.clock.sleep_ms(_MEASURE_MS)
        data = self.shared.read(self.address, 6)
        if crc8(data[:3]) or crc8(data[3:]):
            raise DriverError("garbled: wrong checksum")
        celsius, percent = [data[i] << 8 | data[i + 1] for i in (0, 3)]
        return (celsius * 175 / 65535 - 45, percent * 100 / 65535)[: self.count]


def crc8(data):
    """Return the CRC-8 of the bytes (polynomial 0x31, initial value 0xFF); 0 if the last byte is the CRC of the
    others."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x31 if crc & 0x80 else 0)) & 0xFF
    return crc
