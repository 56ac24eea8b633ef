"""The loop that keeps Wi-Fi joined and the clock set.

It never resets the board because a network is away, and never lets a TLS handshake happen before the clock is set:
certificate dates would be judged against the year 2000.
"""

from micropython import const

from firmware.core.errors import DriverError, LinkError
from firmware.core.timing import Backoff, Timer

_STEP_MS = const(500)
_RESYNC_MS = const(21600000)


class NetworkLoop:
    """`wifi`: driver, or None when the network is somebody else's; its `joining` loads the classes WifiJoining and of
    the driver that it takes. `networks`: normalized items of the config; `net.ask_time()`: awaitable of unix seconds,
    or LinkError; `board.rtc_set(unix_s)` keeps it over resets."""

    def __init__(self, clock, rng, say, wifi, networks, net, board):
        self.clock = clock
        self.rng = rng
        self.say = say
        self.wifi = wifi
        self.networks = networks
        self.net = net
        self.board = board
        self.joining = None  # a WifiJoining, while there is no connection
        self.joined = -1  # the network of the last connection
        self.sync = Timer(clock.ms())
        self.backoff = Backoff(2000, 60000)
        self.up = wifi is None

    def ready(self):
        """Whether a TLS connection may be tried."""
        return self.up and self.clock.utc() is not None

    async def run(self, beat):
        while True:
            beat()
            if self.wifi:
                try:
                    self.join()
                except DriverError as e:  # an ordinary reason to try again later
                    self.say("warning", str(e))
            if self.up and self.sync.passed(self.clock.ms()):
                await self.set_time()
            await self.clock.sleep_ms(_STEP_MS)

    def join(self):
        wifi = self.wifi
        now = self.clock.ms()
        up = wifi.connected()
        if up != self.up:
            self.up = up
            self.say("info", "Wi-Fi: address %s" % wifi.ip() if up else "Wi-Fi: connection lost")
        joining = self.joining
        if up:
            if joining:
                self.joined = joining.policy.index
                self.joining = None
                wifi.joining.drop()
            return
        if not joining:
            joining_class, control_class = wifi.joining.load()
            self.joining = joining = joining_class(
                control_class(wifi), self.networks, self.say, now, self.joined
            )
        joining.step(up, self.rng(), now)

    async def set_time(self):
        try:
            unix_s = await self.net.ask_time()
        except LinkError as e:
            wait = self.backoff.next_ms(self.rng())
            self.sync = Timer(self.clock.ms(), wait)
            self.say("warning", "no time: %s; next try in %d s" % (e, wait // 1000))
            return
        self.backoff.reset()
        self.sync = Timer(self.clock.ms(), _RESYNC_MS)
        self.board.rtc_set(unix_s)
        if not self.clock.utc():
            self.say("info", "clock set")
        self.clock.set_utc(unix_s)
