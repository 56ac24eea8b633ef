"""A counter: total and rate, what survives a power cut, and how often that is written."""

import os

from firmware.runtime.store import Store
from firmware.sensors import counter
from tests_host.support.checking import validate
from tests_host.support.sampling import Pins, Sampled, Ticks

ROOT = __file__.rpartition("tests_host")[0]
RATE = {"pin_port": "2", "name": "flow", "per": "min", "deadband": 0.1, "min": 0.0, "max": 1000000.0}
CFG = {
    "gpio": 27, "kind": "counter", "pull": "up", "edge": "falling", "debounce_ms": 0, "per_unit": 10.0, "start": 0,
    "save_s": 600, "min": -1e9, "max": 1e9,
}  # fmt: skip


class Flash(Store):
    """Records in files of their own, that are gone at the end. `writes`: how often one was written."""

    def __init__(self):
        try:
            os.mkdir(ROOT + ".cache")
        except OSError:
            pass  # it is there
        super().__init__("%s.cache/count-%d-" % (ROOT, int.from_bytes(os.urandom(6), "little")))
        self.writes = 0

    def save(self, name, record):
        self.writes += 1
        return super().save(name, record)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        folder, _, start = self.folder.rpartition("/")
        for name in os.listdir(folder):
            if name.startswith(start):
                os.remove(folder + "/" + name)


class Bench:
    def __init__(self, store=None, **changes):
        self.pins = Pins()
        self.clock = Ticks()
        cfg = dict(CFG)
        cfg.update(changes)
        self.it = Sampled(counter, cfg, self.pins, self.clock, store)

    def pulses(self, count, apart_ms):
        for _ in range(count):
            self.clock.now += apart_ms
            self.pins.counted.count += 1
            self.pins.counted.last = self.clock.now

    def read(self):
        return self.it.read()


def test_the_total_is_in_units():
    bench = Bench(start=7)
    assert bench.read() == [7]
    bench.pulses(25, 100)
    assert bench.read() == [9.5]


def test_the_rate_is_that_of_the_latest_pulses_and_falls_while_none_comes():
    bench = Bench(rate=dict(RATE))
    assert bench.read() == [0, 0]
    bench.pulses(1, 5000)
    assert bench.read()[1] == 0  # one pulse has no rate
    bench.pulses(5, 2000)
    assert bench.read()[1] == 3  # 0.5 a second, 30 a minute, of which 10 are one unit
    bench.clock.now += 1000
    assert bench.read()[1] == 3  # the next one is not late yet
    bench.clock.now += 5000
    assert bench.read()[1] == 1
    bench.clock.now += 594000
    assert bench.read()[1] == 0.01


def test_a_pulse_after_days_without_one_is_no_burst():
    for days in (1, 6, 7, 9, 12, 13, 20):
        bench = Bench(rate=dict(RATE))
        bench.pulses(3, 2000)
        bench.read()
        for _ in range(days * 24):
            bench.clock.now = (bench.clock.now + 3600000) % 0x40000000
            assert bench.read()[1] <= 0.05
        bench.pulses(1, 0)
        assert bench.read()[1] < 0.01, days


def test_the_total_survives_a_power_cut_but_for_what_was_not_written_yet():
    with Flash() as store:
        bench = Bench(store)
        bench.pulses(30, 100)
        bench.read()
        assert store.writes == 0
        bench.clock.now += 600000
        bench.read()
        bench.pulses(5, 100)
        bench.read()
        assert Bench(store).read() == [3]
        assert Bench(store, pin_port="9").read() == [0]  # the record is that of a port


def test_the_flash_is_written_at_most_every_save_s_and_only_for_pulses():
    with Flash() as store:
        bench = Bench(store)
        for _ in range(1000):
            bench.pulses(10, 1000)
            bench.read()
        assert 14 <= store.writes <= 17
        before = store.writes
        bench.clock.now += 600000
        bench.read()
        for _ in range(100):
            bench.clock.now += 600000
            bench.read()
        assert store.writes == before + 1


def test_pulses_are_counted_although_the_flash_refuses_writes():
    with Flash() as store:
        there, store.folder = store.folder, ROOT + "no/such/folder/"
        bench = Bench(store)
        bench.pulses(10, 600000)
        assert bench.read() == [1]
        store.folder = there
        bench.clock.now += 600000
        bench.read()
        assert Bench(store).read() == [1]


def test_an_invalid_record_counts_as_none():
    for record in ({}, {"pulses": "7"}, {"pulses": -1}, {"pulses": None}):
        with Flash() as store:
            store.save(Bench(store).it.driver.name, record)
            assert Bench(store, start=2).read() == [2], record


def test_the_rate_is_refused_without_a_port():
    item = {"kind": "counter", "gpio": 27, "pin_port": "1", "rate": {"per": "h"}}
    found = validate({"sensors": [item]})[1]
    assert [p[1] for p in found if p[0] == "error" and p[1][:7] == "sensors"] == ["sensors[0].rate.pin_port"]
