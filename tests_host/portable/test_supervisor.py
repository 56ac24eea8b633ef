"""A loop that fails makes the outputs safe and starts again; one that is silent lets the watchdog time out."""

from firmware.core.timing import Timer
from firmware.runtime.supervisor import Supervisor
from tests_host.support.scripted import FakeClock

WRAP = 1 << 30


class Reset(BaseException):
    """The chip starts again: nothing after it runs."""


class Device:
    """A supervisor with everything around it, and what it did to that."""

    def __init__(self, forgetful=False):
        self.clock = FakeClock()
        self.faults = set()
        self.lines = []
        self.safe = self.fed = 0
        self.forgetful = forgetful
        self.safety = self
        self.supervisor = Supervisor(self.clock, lambda: 0, self.log, self, self, self, self)

    def log(self, *line):
        if self.forgetful:
            raise MemoryError
        self.lines.append(line)

    def force_safe(self):
        self.safe += 1

    def feed(self):
        self.fed += 1

    def reset(self):
        raise Reset


class Loop:
    """Reports if it `feeds`, lasts for `ms`, and ends as `how` says: an exception, or None to return."""

    def __init__(self, device, how, ms=0, feeds=False):
        self.device = device
        self.how, self.ms, self.feeds = how, ms, feeds
        self.faulty = []

    async def run(self, feed):
        self.faulty.append(bool(self.device.faults))
        if self.feeds:
            feed()
            assert not self.device.faults
        await self.device.clock.sleep_ms(self.ms)
        if len(self.faulty) == 20:
            raise Reset
        if self.how:
            raise self.how


async def kept(loop):
    """How many times it began."""
    try:
        await loop.device.supervisor.keep("cloud", loop, 1000, Timer(0))
    except Reset:
        return len(loop.faulty)


async def test_a_loop_that_ends_is_a_fault_until_it_reports_and_a_reset_when_it_repeats():
    for how in (ValueError("x"), MemoryError(), None):
        for ms, feeds, begins in ((0, False, 6), (600000, True, 6), (600001, True, 20)):
            loop = Loop(Device(), how, ms, feeds)
            assert await kept(loop) == begins, (how, ms)
            assert loop.faulty == [False] + [True] * (begins - 1)
            assert loop.device.safe == (6 if begins == 6 else 19)


async def test_a_failure_that_cannot_even_be_handled_is_a_reset_with_safe_outputs():
    loop = Loop(Device(forgetful=True), ValueError("x"))
    assert await kept(loop) == 1
    assert loop.device.safe == 1


def test_the_watchdog_is_fed_while_every_loop_reports_and_a_silence_is_logged_once():
    device = Device()
    for name, most_silent_ms in (("control", 1000), ("cloud", 5000)):
        device.supervisor.add(name, None, most_silent_ms)
    start = device.clock.ms()
    for ms, fed, lines in ((0, 1, 0), (1000, 2, 0), (1001, 2, 1), (3000, 2, 1), (5001, 2, 2)):
        device.supervisor.watch((start + ms) % WRAP)
        assert (device.fed, len(device.lines)) == (fed, lines), ms
    for loop in device.supervisor.loops:
        loop[3].start = (start + 5001) % WRAP
    device.supervisor.watch((start + 5002) % WRAP)
    assert device.fed == 3
