"""Whether to use MQTT or to poll over HTTPS, by how the attempts ended. Pure."""

from micropython import const

from firmware.core.timing import Backoff, Timer

_MOST_MISSES = const(3)
_RARE = const(28)  # failures after which Backoff goes beyond its short waits


class TransportChoice:
    """`auto`: polling may stand in for MQTT. `misses`: attempts in a row that led to no steady session; `probe`: Timer
    of the next attempt while polling; `excluded`: there is none. `saved`: `state()` of an earlier one."""

    def __init__(self, auto, now, saved=None):
        self.auto = auto
        fresh = 0, False, Timer(now), Backoff(2000, 1800000, 15000)
        self.misses, self.excluded, self.probe, self.probes = saved or fresh

    def state(self):
        """What a later one goes on with."""
        return self.misses, self.excluded, self.probe, self.probes

    def tries_mqtt(self, now):
        """Whether the next opening should begin with MQTT."""
        return not self.auto or (not self.excluded and (self.misses < _MOST_MISSES or self.probe.passed(now)))

    def steady(self):
        """A session has lasted."""
        self.misses = 0
        self.probes.reset()

    def give_up(self):
        """Another attempt at once would come to the same."""
        self.misses = max(self.misses, _MOST_MISSES)

    def refuse(self):
        """The cloud has no MQTT for this device now: attempts become rare."""
        self.give_up()
        self.probes.failures = max(self.probes.failures, _RARE)

    def exclude(self):
        """MQTT can never work on this device: do not try it again. Whether that is new."""
        new = not self.excluded
        self.excluded = True
        self.give_up()
        return new

    def poll_instead(self, now, bits, refused):
        """After a failed attempt: ms until MQTT is tried again, to be polled meanwhile; None: try MQTT again at once.
        `refused`: the cloud refused, `bits`: 32 random ones."""
        if not refused and self.misses < _MOST_MISSES:
            return None
        if refused:
            self.refuse()
        wait = self.probes.next_ms(bits)
        self.probe = Timer(now, wait)
        return wait
