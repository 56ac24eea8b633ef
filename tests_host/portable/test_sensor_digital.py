"""A contact: its level counts once it has lasted."""

from firmware.sensors import digital
from tests_host.support.sampling import Pins, Sampled

CFG = {"gpio": 27, "kind": "digital", "active": "low", "pull": "up", "debounce_ms": 30}


def sampled(levels, **changes):
    return Sampled(digital, dict(CFG, **changes), Pins(levels={27: levels}))


def test_the_active_level_is_one():
    assert sampled([0]).read() == [1]
    assert sampled([1]).read() == [0]
    assert sampled([1], active="high").read() == [1]


def test_bounces_are_waited_for():
    it = sampled([1, 0, 1, 0, 0, 1, 0])
    assert it.read() == [1]
    assert sum(it.clock.slept) >= 30 + 5 * 5


def test_a_level_that_does_not_last_is_a_fault_within_two_seconds():
    it = sampled([0, 1] * 1000)
    assert "keeps changing" in it.read()[0]
    assert sum(it.clock.slept) <= 2000
