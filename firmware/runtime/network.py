"""The loop that keeps Wi-Fi joined and the clock set.

It never resets the board because a network is away, and never lets a TLS handshake happen before the clock is set:
certificate dates would be judged against the year 2000.
"""

from micropython import const

from firmware.core.errors import DriverError
from firmware.core.joiner import Joiner
from firmware.core.timing import Backoff, Deadline

_STEP_MS = const(500)
_RESYNC_MS = const(21600000)


class NetworkLoop:
    """`wifi`: driver, or None when the network is somebody else's; `networks`: list of (ssid, Secret);
    `ask_time()`: awaitable of unix seconds, raising an exception of `errors` when nobody answered."""

    def __init__(self, clock, rng, wifi, networks, ask_time, errors, set_rtc, say):
        self._clock = clock
        self._rng = rng
        self._wifi = wifi
        self._networks = networks
        self._ask_time = ask_time
        self._errors = errors
        self._set_rtc = set_rtc
        self._say = say
        self._joiner = Joiner(len(networks), clock.ms())
        self._sync = Deadline(clock.ms(), 0)
        self._backoff = Backoff(2000, 60000)
        self.up = wifi is None

    def ready(self):
        """Whether a TLS connection may be tried."""
        return self.up and self._clock.utc() is not None

    async def run(self, beat):
        if self._wifi:
            self._guard(self._wifi.start)
        while True:
            beat()
            if self._wifi:
                self._join()
            if self.up and self._sync.passed(self._clock.ms()):
                await self._set_time()
            await self._clock.sleep_ms(_STEP_MS)

    def _join(self):
        up = bool(self._guard(self._wifi.connected))
        if up != self.up:
            self.up = up
            self._say(
                "info", "connected, address %s" % self._guard(self._wifi.ip) if up else "connection lost"
            )
        step = self._joiner.step(up, self._rng(), self._clock.ms())
        if step:
            self._act(*step)

    def _act(self, action, index):
        if action == "join":
            ssid, password = self._networks[index]
            self._say("info", "joining %s" % ssid)
            self._guard(self._wifi.connect, ssid, password.reveal())
            return
        self._say("warning", "not connected: %s" % self._guard(self._wifi.status))
        self._guard(self._wifi.restart if action == "restart" else self._wifi.disconnect)

    def _guard(self, call, *args):
        """The radio's refusals are an ordinary reason to try again later."""
        try:
            return call(*args)
        except DriverError as e:
            self._say("warning", str(e))
            return None

    async def _set_time(self):
        try:
            unix_s = await self._ask_time()
        except self._errors as e:
            wait = self._backoff.next_ms(self._rng())
            self._sync = Deadline(self._clock.ms(), wait)
            self._say("warning", "no time: %s; next try in %d s" % (e, wait // 1000))
            return
        self._backoff.reset()
        self._sync = Deadline(self._clock.ms(), _RESYNC_MS)
        self._set_rtc(unix_s)
        first = self._clock.utc() is None
        self._clock.set_utc(unix_s)
        if first:
            self._say("info", "clock set")
