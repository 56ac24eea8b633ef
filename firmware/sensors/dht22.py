"""A DHT22 or AM2302: degrees Celsius, and where configured relative humidity in percent.

Source: AM2302 data sheet (Aosong): each value is 16 bits in tenths, the temperature as sign and magnitude, not in two's
complement; two seconds between two readings.
"""

from micropython import const

RULES = """

dht22
gpio $outputs
period_s 2..3600 =10
deadband 0.0..50 =0.2
min -60.0..200 =-40
max -60.0..200 =80
humidity object =null

"""

_REST_MS = const(2000)


def driver(cfg, board, clock, store):
    return Dht22(cfg, board, clock)


class Dht22:
    def __init__(self, cfg, board, clock):
        self.dht = board.bus("dht", cfg["gpio"])
        self.clock = clock
        self.count = cfg["count"]

    async def read(self):
        """Return (degrees Celsius, percent), or (degrees,) if no humidity is configured. DriverError."""
        data = await self.dht.measured(self.clock, _REST_MS)
        tenths = (data[2] & 0x7F) << 8 | data[3]
        if data[2] & 0x80:
            tenths = -tenths
        return (tenths / 10, (data[0] << 8 | data[1]) / 10)[: self.count]
