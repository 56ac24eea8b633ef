"""A BME280 on an I2C bus: degrees Celsius, and where configured relative humidity in percent and hectopascals.

Source: BME280 data sheet (Bosch, BST-BME280-DS001): registers, calibration, and the compensation formulas in integers,
because MicroPython's floats on the ESP32 have a mantissa of only 24 bits. A measurement of all three values takes at
most 9.3 ms.
"""

import struct
from micropython import const

from firmware.core.errors import DriverError

RULES = """

bme280
sda $outputs
scl $outputs
i2c_address 118|119 =118
period_s 1..3600 =5
deadband 0.0..50 =0.2
min -60.0..200 =-40
max -60.0..200 =85
humidity object =null
pressure object =null

pressure
item
cloud_kind text 1..32 =none
deadband 0.0..1000 =0.5
min 0.0..1500 =300
max 0.0..1500 =1100

"""

_ID = const(0xD0)
_BME280 = const(0x60)
_BMP280 = b"\x56\x57\x58"
_MEASURE_MS = const(15)
_ONCE = b"\xf2\x01\xf4\x25"  # ctrl_hum, ctrl_meas: measure each value once, forced mode
_SLEEPS = const(0x24)  # ctrl_meas after the measurement: sleep mode
_STATUS = const(0xF3)
_MEASURING = const(8)


def driver(cfg, board, clock, store):
    return Bme280(cfg, board, clock)


class Bme280:
    """`shared`: the bus, one object for all its sensors (`firmware/app.py`). `calibration`: T1 to T3, P1 to P9 and H1
    to H6 of the data sheet; None before it is read, and after a fault, because the sensor may have been replaced."""

    def __init__(self, cfg, board, clock):
        self.shared = board.bus("i2c", cfg["sda"], cfg["scl"])
        self.address = cfg["i2c_address"]
        self.clock = clock
        self.extras = [key for key in ("humidity", "pressure") if cfg[key]]
        self.calibration = None

    async def read(self):
        """Return (degrees Celsius, percent, hectopascals), the latter two only if they are configured. DriverError: no
        BME280 answers, or the measurement failed."""
        calibration, self.calibration = self.calibration or self.calibrated(), None
        self.shared.write(self.address, _ONCE)
        await self.clock.sleep_ms(_MEASURE_MS)
        data = self.registers(_STATUS, 12)
        if data[0] & _MEASURING or data[1] != _SLEEPS:
            raise DriverError("no measurement in time; did it lose power?")
        fine, celsius = temperature(data[7] << 12 | data[8] << 4 | data[9] >> 4, calibration)
        found = [celsius]
        if "humidity" in self.extras:
            found.append(humidity(data[10] << 8 | data[11], fine, calibration))
        if "pressure" in self.extras:
            found.append(pressure(data[4] << 12 | data[5] << 4 | data[6] >> 4, fine, calibration))
        self.calibration = calibration
        return tuple(found)

    def registers(self, first, count):
        """Return `count` bytes from the register `first` on. DriverError."""
        self.shared.write(self.address, bytes((first,)))
        return self.shared.read(self.address, count)

    def calibrated(self):
        """Return the chip's calibration. DriverError: it is not a BME280."""
        chip = self.registers(_ID, 1)[0]
        if chip in _BMP280:
            raise DriverError("it is a BMP280 without humidity sensor; a BME280 is needed")
        if chip != _BME280:
            raise DriverError("its chip id is 0x%02x, that of a BME280 is 0x60" % chip)
        first, rest = self.registers(0x88, 26), self.registers(0xE1, 7)
        h2, h3, high4, low, high5, h6 = struct.unpack("<hBbBbb", rest)
        damp = first[25], h2, h3, high4 << 4 | low & 15, high5 << 4 | low >> 4, h6
        return struct.unpack("<HhhHhhhhhhhh", first[:24]) + damp


def temperature(raw, calibration):
    """Return (t_fine of the data sheet, degrees Celsius) of a 20-bit reading."""
    t1, t2, t3 = calibration[:3]
    difference = (raw >> 4) - t1
    fine = (((raw >> 3) - (t1 << 1)) * t2 >> 11) + ((difference * difference >> 12) * t3 >> 14)
    return fine, (fine * 5 + 128 >> 8) / 100


def pressure(raw, fine, calibration):
    """Return hectopascals of a 20-bit reading. `fine`: t_fine. DriverError: the calibration would divide by zero."""
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = calibration[3:12]
    a = fine - 128000
    b = a * a * p6 + (a * p5 << 17) + (p4 << 35)
    a = (a * a * p3 >> 8) + (a * p2 << 12)
    a = ((1 << 47) + a) * p1 >> 33
    if a <= 0:
        raise DriverError("its calibration is invalid")
    p = ((1048576 - raw << 31) - b) * 3125 // a
    a = p9 * (p >> 13) * (p >> 13) >> 25
    return ((p + a + (p8 * p >> 19) >> 8) + (p7 << 4)) / 25600


def humidity(raw, fine, calibration):
    """Return the relative humidity in percent, 0 to 100, of a 16-bit reading. `fine`: t_fine."""
    h1, h2, h3, h4, h5, h6 = calibration[12:]
    a = fine - 76800
    b = ((a * h6 >> 10) * ((a * h3 >> 11) + 32768) >> 10) + 2097152
    a = ((raw << 14) - (h4 << 20) - h5 * a + 16384 >> 15) * (b * h2 + 8192 >> 14)
    a -= ((a >> 15) * (a >> 15) >> 7) * h1 >> 4
    return (min(max(a, 0), 419430400) >> 12) / 1024
