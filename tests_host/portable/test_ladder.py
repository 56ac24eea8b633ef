"""A reset that waits because memory was short is withdrawn once the cloud has answered again, and goes on."""

from firmware.core.timing import Timer
from firmware.runtime.ladder import Ladder
from tests_host.support.scripted import FakeClock


class Network:
    """What the ladder knows of the network and of the device; an output is on, for which a reset has to wait."""

    on, fault = True, None
    unanswered, known, short, restart = 0, True, None, False

    def __init__(self):
        self.clock = self.net = self.controller = self.safety = self
        self.ticks = FakeClock()
        self.ms = self.ticks.ms
        self.outputs = [self]
        self.silence = Timer(self.ms())
        self.memory_failures, self.new_memory_failure = 6, 1

    def uptime_s(self):
        return 3600

    def stranded(self):
        return False

    def log(self, *line):
        pass


async def test_a_reset_for_lack_of_memory_waits_until_the_cloud_answers_and_goes_on():
    network = Network()
    ladder = Ladder(network, None)
    for half_ms, answers, waits, failures in (
        (0, False, True, 6),
        (30000, False, True, 6),
        (30000, True, False, 0),
    ):
        await network.ticks.sleep_ms(half_ms)
        if answers:
            network.silence = Timer(network.ms())
        await network.ticks.sleep_ms(half_ms)
        await ladder.step()
        assert (bool(ladder.reset), network.memory_failures) == (waits, failures), answers
    assert not (network.short or network.restart)
