"""The loop that keeps the network connected and the clock set.

It never resets the board because a network is absent. No TLS handshake begins before the clock is set, because
certificate dates would be checked against the year 2000.
"""

from micropython import const

from firmware.core.errors import DriverError
from firmware.core.timing import Backoff, Timer

_STEP_MS = const(500)
_AGAIN_MS = const(30000)  # time until the next time query because of a certificate, or after a lack of memory
_ROOM = const(13000)
"""Free bytes of Python heap without which a clock that is set is not checked. The query takes two thirds of them."""
_ALONE_MS = const(600000)  # time without the cloud until another network is tried
_UNANSWERED = const(2)
_LACKS = const(6)


class NetworkLoop:
    """`interface`: see drivers.interface; None: the network is up by other means. `networks`: (ssid, password, access
    point or None, address or None) each. `net`: see links.net. `board`: for `rtc_set`, which keeps the time through
    resets, and for the drivers that are loaded.

    `up`: the interface is connected. `turns`: counts changes of network and clock, after each of which a link should
    try again. `probing`: hosts are being queried, and the heap has no room to open the link meanwhile. To be assigned:
    `cloud_loop`; `controller`, for resets; `import_ladder()`, which returns the classes Ladder and WifiControl or
    LanControl."""

    def __init__(self, clock, rng, log, interface, networks, net, board):
        self.clock = clock
        self.rng = rng
        self.log = log
        self.interface = interface
        self.networks = networks
        self.net = net
        self.board = board
        self.joining = None  # a WifiJoining or LanJoining, while there is no connection
        self.joined = -1  # the network of the last connection, or the one to try first
        self.alone = Timer(clock.ms(), _ALONE_MS)
        self.sync = Timer(clock.ms())
        self.backoff = Backoff(2000, 60000)
        self.up = interface is None
        self.probing = False
        self.ladder = self.unit = self.import_ladder = self.controller = self.cloud_loop = None
        self.short = None  # Timer until it is checked whether memory is still short
        self.turns = 0

    def ready(self):
        """Return whether a TLS connection may be tried."""
        return self.up and self.clock.utc() is not None

    async def run(self, feed):
        net = self.net
        while True:
            feed()
            try:
                if self.interface:
                    self.join()
                short = net.new_memory_failure or (self.short and self.short.passed(self.clock.ms()))
                if short or self.ladder or (self.interface and self.silent()):
                    await self.escalate()
            except DriverError as e:  # tried again later
                self.log("warning", str(e))
            now = self.clock.ms()
            due = self.sync.passed(now) or (net.dates_failed and self.sync.ms(now) > _AGAIN_MS)
            if self.up and due and not net.changing_transport:
                if self.clock.utc() is None or net.heap_free() > _ROOM:
                    await net.keep_time(self)
                else:
                    self.sync = Timer(now, _AGAIN_MS)
            await self.clock.sleep_ms(_STEP_MS)

    def silent(self):
        """Return whether there is evidence for the escalation ladder other than a lack of memory."""
        return self.net.unanswered >= _UNANSWERED or self.interface.broken or self.stranded()

    def stranded(self):
        """Return whether the present network has not led to the cloud for ten minutes, and there are others."""
        loop = self.cloud_loop
        if not self.up or loop.online or loop.paused or loop.refusals.failures:
            self.alone.start = self.clock.ms()
        return len(self.networks) > 1 and self.alone.passed(self.clock.ms())

    async def escalate(self):
        """Load the escalation ladder (runtime.ladder) and take its next step, if one is due. DriverError."""
        try:
            if not self.ladder:
                self.unit = self.net.unit(self.import_ladder)
                ladder_class, control_class = self.unit.load()
                self.ladder = ladder_class(self, self.interface and control_class(self.interface, self.board))
            if await self.ladder.step():
                return
        except MemoryError:
            # No memory for the ladder. If that persists, its last step is taken: the supervisor resets the chip.
            if self.net.memory_failures >= _LACKS:
                raise
        self.ladder = None
        self.unit.drop()

    def join(self):
        interface = self.interface
        now = self.clock.ms()
        up = interface.connected()
        if up != self.up:
            self.up = up
            self.turns += up
            if not up:
                self.log("info", "%s: connection lost" % interface.what)
        joining = self.joining
        if up:
            if joining:
                self.log("info", "%s: address %s" % (interface.what, interface.address(0)))
                self.joined = joining.joined()
                self.joining = None
                interface.joining.drop()
            return
        if not joining:
            joining_class, control_class = interface.joining.load()
            self.joining = joining = joining_class(control_class(interface, self.board), self, now)
        joining.step(up, self.rng(), now)
