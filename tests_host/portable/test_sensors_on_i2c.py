"""SHT3x and BME280: what their bytes mean, several on one bus, and what is a fault."""

from firmware.core.errors import DriverError
from firmware.sensors import bme280, sht3x
from tests_host.support.checking import errors
from tests_host.support.sampling import Pins, Sampled, Ticks

HUMIDITY = {"pin_port": "2", "name": "damp", "deadband": 1.0, "min": 0.0, "max": 100.0}
PRESSURE = {"pin_port": "3", "name": "weather", "deadband": 0.5, "min": 300.0, "max": 1100.0}
# Of the data sheet of the BMP280, which has the same formulas (3.12); and of a sensor of which the readings in floats
# are known, humidity as well (the tests of Pimoroni's bme280-python).
DATA_SHEET = (27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000, 0, 0, 0, 0, 0, 0)
SENSOR = (28009, 25654, 50, 39145, -10750, 3024, 5667, -120, -7, 15500, -14600, 6000, 75, 376, 0, 286, 50, 30)


class Bus:
    """Registers or answers by address: bytes that are read one after the other, or DriverError. `sent`: what was
    written."""

    def __init__(self, **answers):
        self.answers = answers
        self.sent = []
        self.at = 0

    def write(self, address, data):
        self.sent.append((address, bytes(data)))
        self.at = data[0]

    def read(self, address, count):
        found = self.answers.get("registers")
        found = found[self.at : self.at + count] if found else self.answers["data"]
        if isinstance(found, DriverError):
            raise found
        return bytes(found)


def registers(raw, calibration=SENSOR, chip=0x60, status=0, settings=0x24):
    """A BME280 with these readings: temperature, pressure, humidity."""
    found = bytearray(256)
    for i, number in enumerate(calibration[:12]):
        found[0x88 + 2 * i], found[0x89 + 2 * i] = number & 0xFF, number >> 8 & 0xFF
    h1, h2, h3, h4, h5, h6 = calibration[12:]
    found[0xA1] = h1
    found[0xE1:0xE8] = bytes(
        (h2 & 0xFF, h2 >> 8 & 0xFF, h3, h4 >> 4 & 0xFF, (h4 & 15) | (h5 & 15) << 4, h5 >> 4 & 0xFF, h6 & 0xFF)
    )
    found[0xD0], found[0xF3], found[0xF4] = chip, status, settings
    celsius, pascals, percent = raw
    found[0xF7:0xFD] = (pascals << 28 | celsius << 4).to_bytes(6, "big")
    found[0xFD:0xFF] = percent.to_bytes(2, "big")
    return found


def sampled(kind, bus, address, clock=None, **changes):
    cfg = {"kind": "it", "sda": 21, "scl": 22, "i2c_address": address, "min": -40.0, "max": 125.0}
    if kind is bme280:
        cfg.update(humidity=dict(HUMIDITY), pressure=dict(PRESSURE))
    else:
        cfg["humidity"] = dict(HUMIDITY)
    cfg.update(changes)
    return Sampled(kind, cfg, Pins(buses={(21, 22): bus}), clock)


def sht(data, **changes):
    return sampled(sht3x, Bus(data=data), 0x44, **changes)


def bme(found, **changes):
    return sampled(bme280, Bus(registers=found), 0x76, **changes)


def test_the_checksum_is_that_of_the_data_sheet():
    assert sht3x.crc8(b"\xbe\xef") == 0x92 and sht3x.crc8(b"\xbe\xef\x92") == 0


def word(raw):
    data = bytes((raw >> 8, raw & 0xFF))
    return data + bytes((sht3x.crc8(data),))


def test_the_conversion_of_a_sht3x():
    for raw, celsius in ((0, -45), (0x6666, 25), (65535, 130)):
        found = sht(word(raw) + word(0x8000), min=-60.0, max=130.0).read()
        assert abs(found[0] - celsius) < 0.01 and abs(found[1] - 50) < 0.01
    it = sht(word(0x6666) + word(0x8000))
    it.read()
    assert it.driver.shared.sent == [(0x44, b"\x24\x00")] and it.clock.slept == [20]
    assert len(sht(word(0x6666) + word(0x8000), humidity=None).read()) == 1


def test_invalid_readings_of_an_sht3x_are_faults():
    for data, words in (
        (word(0x6666) + word(0x8000)[:2] + b"\0", "checksum"),
        (b"\0" + word(0x6666)[1:] + word(0x8000), "checksum"),
        (bytes(6), "checksum"),
        (b"\xff" * 6, "checksum"),
        (DriverError("I2C 0x44: nothing answers"), "nothing answers"),
        (word(0) + word(0x8000), "outside"),
    ):
        it = sht(data)
        assert words in it.read()[0], words
        assert it.controller.readings == {"1": None, "2": None}


def test_the_compensation_of_the_data_sheet():
    fine, celsius = bme280.temperature(519888, DATA_SHEET)
    assert (fine, celsius) == (128422, 25.08)
    assert abs(bme280.pressure(415148, fine, DATA_SHEET) - 1006.5327) < 0.001


def test_the_compensation_of_a_sensor_with_known_readings():
    celsius, percent, hectopascals = bme(registers((529191, 326816, 30281))).read()
    assert (
        abs(celsius - 24.7895) < 0.01 and abs(hectopascals - 1006.6152) < 0.02 and abs(percent - 68.67) < 0.05
    )


def test_humidity_ends_at_0_and_100_percent():
    fine, _ = bme280.temperature(529191, SENSOR)
    assert (bme280.humidity(0, fine, SENSOR), bme280.humidity(65535, fine, SENSOR)) == (0, 100)


def test_only_values_with_a_port_are_read():
    found = registers((529191, 326816, 30281))
    for humidity, pressure, count in ((None, None, 1), (dict(HUMIDITY), None, 2), (None, dict(PRESSURE), 2)):
        values = bme(found, humidity=humidity, pressure=pressure).read()
        assert (
            len(values) == count and (not pressure or values[1] > 1000) and (not humidity or values[1] < 69)
        )


def test_a_bme280_measures_once_and_its_calibration_is_read_once():
    it = bme(registers((529191, 326816, 30281)))
    it.read()
    it.read()
    sent = [data for _, data in it.driver.shared.sent]
    assert sent.count(b"\xf2\x01\xf4\x25") == 2 and sent.count(b"\x88") == 1 and it.clock.slept == [15, 15]


def test_invalid_readings_of_a_bme280_are_faults():
    good = (529191, 326816, 30281)
    for found, words in (
        (registers(good, chip=0x58), "BMP280"),
        (registers(good, chip=0x56), "BMP280"),
        (registers(good, chip=0x61), "chip id is 0x61"),
        (bytearray(256), "chip id is 0x00"),
        (bytearray(b"\xff" * 256), "chip id is 0xff"),
        (registers(good, status=8), "in time"),
        (registers(good, settings=0), "lose power"),
        (registers(good, settings=0x25), "in time"),
        (registers(good, (28009, 25654, 50) + (0,) * 15), "invalid"),
        (registers((1048575, 326816, 30281)), "outside"),
    ):
        it = bme(found)
        assert words in it.read()[0], (words, it.read())
        assert list(it.controller.readings.values()) == [None] * 3


def test_after_a_fault_the_calibration_is_read_anew():
    it = bme(registers((529191, 326816, 30281)))
    it.read()
    it.driver.shared.answers["registers"] = registers((529191, 326816, 30281), status=8)
    it.read()
    other = list(SENSOR)
    other[0] += 500
    it.driver.shared.answers["registers"] = registers((529191, 326816, 30281), other)
    assert it.read()[0] < 24


def problems(*items):
    base = {"kind": "sht3x", "sda": 21, "scl": 22}
    return errors(sensors=[dict(dict(base, pin_port=str(i)), **item) for i, item in enumerate(items)])


def test_sensors_share_a_bus_by_their_addresses():
    assert problems({}, {"i2c_address": 69}, {"kind": "bme280"}, {"kind": "bme280", "i2c_address": 119}) == []
    assert problems({}, {}) == ["sensors[1].i2c_address"]
    assert problems({}, {"sda": 18, "scl": 19}) == []
    assert problems({}, {"scl": 19}) == ["sensors[1].sda"]
    assert problems({}, {"sda": 22, "scl": 21}) == ["sensors[1].sda", "sensors[1].scl"]
    assert problems({"sda": 22}) == ["sensors[0].scl"]
    assert problems({}, {"kind": "dht22", "gpio": 21}) != []
    assert problems({"i2c_address": 118}) == ["sensors[0].i2c_address"]
    assert problems({"sda": 34}) == ["sensors[0].sda"]
    assert problems({"kind": "bme280", "humidity": {"pin_port": "8"}, "pressure": {"pin_port": "9"}}) == []
    assert problems({"kind": "bme280", "humidity": {"pin_port": "8"}, "pressure": {"pin_port": "8"}}) != []


def test_one_clock_serves_all_on_a_bus():
    bus, clock = Bus(data=word(0x6666) + word(0x8000)), Ticks()
    one, two = sampled(sht3x, bus, 0x44, clock), sampled(sht3x, bus, 0x45, clock)
    assert one.read() == two.read() and [address for address, _ in bus.sent] == [0x44, 0x45]
