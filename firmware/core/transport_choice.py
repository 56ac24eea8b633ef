"""The choice between MQTT and polling over HTTPS, by the results of earlier attempts. Pure."""

from micropython import const

from firmware.core.timing import Backoff, Timer

_MOST_MISSES = const(3)
_RARE = const(28)  # failures after which Backoff exceeds its short waits


class TransportChoice:
    """`auto`: polling may replace MQTT. `misses`: attempts in a row without a steady session. `probe`: Timer until the
    next attempt while polling. `excluded`: there are no more attempts. `saved`: `state()` of an earlier
    TransportChoice."""

    def __init__(self, auto, now, saved=None):
        self.auto = auto
        fresh = 0, False, Timer(now), Backoff(2000, 1800000, 15000)
        self.misses, self.excluded, self.probe, self.probes = saved or fresh

    def state(self):
        """Return the state for a later TransportChoice."""
        return self.misses, self.excluded, self.probe, self.probes

    def tries_mqtt(self, now):
        """Return whether the link should try MQTT when it is opened next."""
        return not self.auto or (not self.excluded and (self.misses < _MOST_MISSES or self.probe.passed(now)))

    def steady(self):
        """Record that a session has proved steady."""
        self.misses = 0
        self.probes.reset()

    def give_up(self):
        """Record a failure that an immediate further attempt would only repeat."""
        self.misses = max(self.misses, _MOST_MISSES)

    def refuse(self):
        """Record that the cloud offers this device no MQTT now: attempts become rare."""
        self.give_up()
        self.probes.failures = max(self.probes.failures, _RARE)

    def exclude(self):
        """Record that MQTT can never work on this device. Return whether that is new."""
        new = not self.excluded
        self.excluded = True
        self.give_up()
        return new

    def poll_instead(self, now, bits, refused):
        """After a failed attempt, return the ms of polling until the next one; None: try MQTT again at once. `refused`:
        the cloud refused. `bits`: 32 random bits."""
        if not refused and self.misses < _MOST_MISSES:
            return None
        if refused:
            self.refuse()
        wait = self.probes.next_ms(bits)
        self.probe = Timer(now, wait)
        return wait
