"""DHT22 and DHT11: what their frames mean, two values with a port each, and what is a fault."""

from firmware.sensors import dht11, dht22
from tests_host.support.checking import errors
from tests_host.support.sampling import Pins, Sampled

HUMIDITY = {"pin_port": "2", "name": "damp", "deadband": 1.0, "min": 0.0, "max": 100.0}
CFG = {"gpio": 4, "kind": "dht22", "min": -40.0, "max": 80.0, "humidity": HUMIDITY}


def sampled(kind, frames, **changes):
    cfg = dict(CFG, humidity=dict(HUMIDITY))
    cfg.update(changes)
    return Sampled(kind, cfg, Pins(frames=frames))


def test_the_frames_of_a_dht22():
    # AM2302 data sheet: 02 8C 01 5F is 65.2 % and 35.1 degrees; 80 65 is -10.1.
    assert sampled(dht22, [b"\x02\x8c\x01\x5f\xee"]).read() == [35.1, 65.2]
    assert sampled(dht22, [b"\x02\x8c\x80\x65\x73"]).read() == [-10.1, 65.2]


def test_the_frames_of_a_dht11():
    # DHT11 data sheet: 35 00 18 04 is 53 % and 24.4 degrees; 0A 81 is -10.1.
    assert sampled(dht11, [b"\x35\x00\x18\x04\x51"]).read() == [24.4, 53]
    assert sampled(dht11, [b"\x35\x00\x0a\x81\xc0"]).read() == [-10.1, 53]


def test_without_a_port_the_humidity_is_left_out():
    for kind, frame in ((dht22, b"\x02\x8c\x01\x5f\xee"), (dht11, b"\x35\x00\x18\x04\x51")):
        assert len(sampled(kind, [frame], humidity=None).read()) == 1


def test_no_answer_is_a_fault_of_both():
    for kind in (dht22, dht11):
        it = sampled(kind, [None])
        assert it.read() == ["it: garbled"] * 2
        assert it.controller.readings == {"1": None, "2": None}


def test_a_value_out_of_its_limits_is_a_fault_of_both():
    it = sampled(dht22, [b"\xff\x8c\x01\x5f\xee"])
    assert "outside" in it.read()[0]
    assert it.controller.readings == {"1": None, "2": None}


def problems(**changes):
    items = [{"kind": "thermistor", "gpio": 34, "pin_port": "14"}]
    items.append(dict({"kind": "dht22", "gpio": 4, "pin_port": "1"}, **changes))
    return errors(sensors=items)


def test_the_humidity_has_a_port_of_its_own():
    assert problems() == []
    assert problems(humidity={"pin_port": "2"}) == []
    for port in ("1", "14"):
        assert problems(humidity={"pin_port": port}) != [], port
    assert problems(humidity={}) == ["sensors[1].humidity.pin_port"]
    assert problems(humidity={"pin_port": "2", "deadbnad": 3}) == ["sensors[1].humidity.deadbnad"]
    assert problems(humidity="2") == ["sensors[1].humidity"]
