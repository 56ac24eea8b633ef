"""A DHT11: degrees Celsius, and where configured relative humidity in percent.

Source: DHT11 data sheet (Aosong): each value is a byte of whole units and one of tenths, that of the temperature with
the sign in its highest bit; one second between two readings. Older models send no tenths and do not measure below 0 °C.
"""

from micropython import const

RULES = """

dht11
gpio $outputs
period_s 2..3600 =10
deadband 0.0..50 =0.5
min -60.0..200 =-20
max -60.0..200 =60
humidity object =null

"""

_REST_MS = const(1200)


def driver(cfg, board, clock, store):
    return Dht11(cfg, board, clock)


class Dht11:
    def __init__(self, cfg, board, clock):
        self.dht = board.bus("dht", cfg["gpio"])
        self.clock = clock
        self.count = cfg["count"]

    async def read(self):
        """Return (degrees Celsius, percent), or (degrees,) if no humidity is configured. DriverError."""
        data = await self.dht.measured(self.clock, _REST_MS)
        degrees = data[2] + (data[3] & 0x7F) / 10
        return (-degrees if data[3] & 0x80 else degrees, data[0] + data[1] / 10)[: self.count]
