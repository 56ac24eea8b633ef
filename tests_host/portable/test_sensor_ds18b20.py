"""A DS18B20: what its scratchpad means, several on one bus, and what is a fault."""

from firmware.core.errors import DriverError
from firmware.sensors import ds18b20
from tests_host.support.checking import errors
from tests_host.support.sampling import Pins, Sampled, Ticks

CFG = {"gpio": 4, "kind": "ds18b20", "min": -55.0, "max": 125.0}
ONE, TWO = "28ff641e8216c3a1", "28ff000000000002"


def scratchpad(raw, config=0x7F):
    data = bytes([raw & 0xFF, raw >> 8, 0x4B, 0x46, config, 0xFF, 0x0C, 0x10])
    return data + bytes([ds18b20.crc8(data)])


class Bus:
    """`shown`: scratchpads by the bytes that ask for them. `sent`: what was written after a reset."""

    def __init__(self, shown, there=True):
        self.shown, self.there = shown, there
        self.converted = None
        self.sent = []

    def send(self, data):
        if not self.there:
            raise DriverError("nothing answers on the bus")
        self.sent.append(bytes(data))

    def receive(self, count):
        return bytearray(self.shown.get(self.sent[-1], b"\xff" * 9))[:count]


def alone(raw, **more):
    return Bus({b"\xcc\xbe": scratchpad(raw, **more)})


def sampled(bus, clock=None, **changes):
    return Sampled(ds18b20, dict(CFG, **changes), Pins(buses={4: bus}), clock)


def test_the_checksum_is_that_of_the_data_sheet():
    # Maxim application note 27: the ROM 02 1C B8 01 00 00 00 has the checksum A2.
    assert ds18b20.crc8(b"\x02\x1c\xb8\x01\x00\x00\x00\xa2") == 0
    assert ds18b20.crc8(b"\x02\x1c\xb8\x01\x00\x00\x00\xa3") != 0


def test_temperatures_of_the_data_sheet():
    for raw, celsius in (
        (0x07D0, 125), (0x0191, 25.06), (0x00A2, 10.12), (0x0008, 0.5), (0x0000, 0), (0xFFF8, -0.5), (0xFF5E, -10.12),
        (0xFE6F, -25.06), (0xFC90, -55),
    ):  # fmt: skip
        (found,) = sampled(alone(raw)).read()
        assert abs(found - celsius) < 0.01, hex(raw)


def test_a_conversion_gets_its_time_and_nothing_waits_longer():
    it = sampled(alone(0x0191))
    it.read()
    assert it.clock.slept == [750]


def test_sensors_on_one_bus_measure_at_once():
    bus = Bus({b"\x55\x28\xff\x64\x1e\x82\x16\xc3\xa1\xbe": scratchpad(0x0191),
               b"\x55\x28\xff\x00\x00\x00\x00\x00\x02\xbe": scratchpad(0x00A2)})  # fmt: skip
    clock = Ticks()
    one, two = sampled(bus, clock, address=ONE), sampled(bus, clock, address=TWO.upper())
    assert [round(it.read()[0]) for it in (one, two)] == [25, 10]
    assert bus.sent.count(b"\xcc\x44") == 1
    clock.now += 5000
    two.read()
    assert bus.sent.count(b"\xcc\x44") == 2


def test_an_invalid_reading_is_a_fault():
    for bus, words in (
        (Bus({}, there=False), "nothing answers"),
        (Bus({}), "no sensor with that address"),
        (Bus({b"\xcc\xbe": b"\0" * 9}), "garbled"),
        (Bus({b"\xcc\xbe": scratchpad(0x0191)[:8] + b"\0"}), "garbled"),
        (alone(0x0550), "85 degrees"),
    ):
        (found,) = sampled(bus).read()
        assert words in found, found


def test_after_a_fault_it_measures_anew():
    bus = alone(0x0550)
    it = sampled(bus)
    it.read()
    bus.shown = {b"\xcc\xbe": scratchpad(0x0191)}
    assert round(it.read()[0]) == 25
    assert bus.sent.count(b"\xcc\x44") == 2


def problems(*items):
    rows = [dict({"kind": "ds18b20", "gpio": 4, "pin_port": str(i)}, **item) for i, item in enumerate(items)]
    return errors(sensors=rows)


def test_several_share_a_pin_only_by_different_addresses():
    assert problems({"address": ONE}, {"address": TWO}) == []
    assert problems({}) == []
    assert problems({}, {}) == ["sensors[1].gpio"]
    assert problems({"address": ONE}, {}) == ["sensors[1].gpio"]
    assert problems({}, {"address": ONE}) == ["sensors[1].gpio"]
    assert problems({"address": ONE}, {"address": ONE}) == ["sensors[1].address"]
    assert problems({"address": ONE}, {"address": ONE, "gpio": 16}) == []
    assert problems({"address": ONE}, {"kind": "digital"}) == ["sensors[1].gpio"]


def test_an_address_is_sixteen_hexadecimal_digits():
    for address in ("28ff641e8216c3a", "28ff641e8216c3ag", "28-ff64-1e8216c3"):
        assert problems({"address": address}) == ["sensors[0].address"], address
