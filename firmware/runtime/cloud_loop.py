"""The loop that talks to the cloud through one link: it opens it, receives, reports, and backs off after errors.

It knows only the verbs of a link. Desired values go to the controller; reports in the outbox go to the link and leave
the outbox when the cloud has answered.
"""

from micropython import const

from firmware.core.errors import AuthError, LinkError
from firmware.core.outcomes import CONFLICT
from firmware.core.timing import Backoff, Timer
from firmware.runtime.supervisor import until_first_fails

_REFUSED_CAP_MS = const(900000)
_LONGEST_MS = const(3600000)
_SLICE_MS = const(5000)
_IDLE_MS = const(200)
_FLAPS = const(3)  # failures that count after a connection that did not last: waits up to 16 s
_ANSWERS = const(8)  # acknowledgements that may wait while more is received; each takes 110 bytes of heap
_MANY = const(24)  # half a full outbox
_ACK_BACKOFF_MS = const(2000)
_STEADY_MS = const(60000)  # a connection that lived so long was a good one
_SPREAD_MS = const(10000)
"""The end of a connection that was up may have met a whole fleet at the same moment, unless it was the device's own."""


class CloudLoop:
    """`network.ready()`: whether a connection may be tried; `probe_ms`: the first wait after a refusal;
    `catalog_unit`: loads core.catalog.apply_catalog."""

    def __init__(self, clock, rng, log, link, controller, network, probe_ms, catalog_unit):
        self.catalog_unit = catalog_unit
        self.clock = clock
        self.rng = rng
        self.log = log
        self.link = link
        self.controller = controller
        self.network = network
        self.refusals = Backoff(probe_ms, max(_REFUSED_CAP_MS, probe_ms), probe_ms // 2)
        self.failures = Backoff(*link.waits)
        self.fed = 0
        self.catalog = self.feed = self.since = None
        self.online = False
        self.serving = False  # the link is open, or being opened or closed
        self.paused = False

    async def run(self, feed):
        self.feed = feed
        self.link.watch(feed)
        network = self.network
        while True:
            while self.paused or network.probing or not network.ready():
                if not network.probing:
                    self.failures.reset()
                feed()
                await self.clock.sleep_ms(_IDLE_MS)
            self.serving = True
            turns = network.turns
            try:
                await self.serve()
            except AuthError as e:
                wait = max(self.refusals.next_ms(self.rng()), e.retry_after_s * 1000)
                self.log("error", "refused: %s; next try in %d s" % (e, wait // 1000))
            except LinkError as e:
                if self.online and self.since.passed(self.clock.ms()):  # it is nothing new any more
                    self.failures.reset()
                    network.net.memory_failures = 0
                wait = max(self.failures.next_ms(self.rng()), e.retry_after_s * 1000)
                if self.online and not network.net.new_memory_failure:
                    wait += self.rng() % _SPREAD_MS
                    turns = network.turns
                if not self.paused:
                    self.log("warning", "link failed: %s; next try in %d s" % (e, wait // 1000))
            finally:
                self.online = False
                self.link.close()
                self.serving = False
            wait = min(wait, _LONGEST_MS)
            # A network that goes away meanwhile makes the reason to wait void, and so does a clock that is set, also
            # during the attempt.
            while wait > 0 and network.ready() and network.turns == turns and not self.paused:
                feed()
                await self.clock.sleep_ms(min(wait, _SLICE_MS))
                wait -= _SLICE_MS

    async def pause(self):
        """Close the link and keep it closed, so that its memory serves something else, until `resume`."""
        self.paused = True
        while self.serving:
            self.feed()
            await self.clock.sleep_ms(_IDLE_MS)

    def resume(self):
        self.paused = False

    async def serve(self):
        try:
            await self.talk()
        except MemoryError as e:
            # Closing the link makes room. Where that does not last, the ladder has stronger means.
            net = self.network.net
            net.memory_failures += 1
            net.new_memory_failure = 1
            raise LinkError("memory: the Python heap is full: %s" % e)

    async def talk(self):
        self.apply_catalog(await self.link.open())
        self.contact()
        self.refusals.reset()
        # Half a success: it has to last, but the cloud is there.
        self.failures.failures = min(self.failures.failures, _FLAPS)
        self.since = Timer(self.clock.ms(), _STEADY_MS)
        self.online = True
        self.log("info", "online")
        await until_first_fails(self.listen(), self.report())

    async def listen(self):
        link = self.link
        while True:
            self.feed_half(1)
            if self.paused:
                raise LinkError("paused")
            states = await link.next_desired()
            if states is None:
                continue
            self.contact()
            self.apply_catalog(link.catalog)
            if not states:
                continue
            now = self.clock.ms()
            for desired in states:
                self.controller.receive_desired(desired, now)
            # At once, not when the control loop comes round: over MQTT nothing else would take as long.
            self.controller.tick(link.lease, now, self.clock.utc())
            # Acknowledgements are written to flash before the same desired state can come again.
            self.controller.outbox.keep()
            await self.drained()

    async def drained(self):
        """Return when few acknowledgements wait to be sent: after an outage desired values may come faster than those
        leave. Where none leaves, the acknowledgement backoff bounds the wait, and desired values are applied slowly."""
        outbox = self.controller.outbox
        before, waiting = None, outbox.answers()
        while waiting > _ANSWERS:
            if before is None or waiting < before:
                # Longer, as long as nothing has to be dropped from a full outbox.
                ack_backoff = Timer(self.clock.ms(), _ACK_BACKOFF_MS * (15 if waiting > _MANY else 1))
            elif ack_backoff.passed(self.clock.ms()):
                return
            self.feed_half(1)
            await self.clock.sleep_ms(_IDLE_MS)
            before, waiting = waiting, outbox.answers()

    async def report(self):
        outbox = self.controller.outbox
        while True:
            self.feed_half(2)
            if not self.network.ready():
                raise LinkError("the network is gone")  # at once: what joins it needs the memory
            # Made when it may leave: each report takes 150 bytes as it goes to the cloud.
            batch = outbox.batch(await self.link.most_reports() if outbox.reports else 0)
            # Also without any: what this frame still knows of the last call would keep code that is to be unloaded.
            for message_id, outcome in await self.link.send(batch):
                self.contact()
                if outcome == CONFLICT:
                    self.controller.reconcile(message_id)
                outbox.acknowledge(message_id)
            if not batch:
                await self.clock.sleep_ms(_IDLE_MS)

    def apply_catalog(self, catalog):
        if catalog is self.catalog:
            return  # taking it over again would change nothing, and takes memory when messages pour in
        try:
            self.catalog_unit.load()(self.controller, catalog)
            self.catalog = catalog
        finally:
            self.catalog_unit.drop()

    def contact(self):
        """The cloud answered."""
        now = self.clock.ms()
        self.controller.safety.contact(now)
        self.controller.check(self.link.lease, now)

    def feed_half(self, half):
        """Feed the watchdog when both coroutines have come by: 1 receives, 2 reports."""
        self.fed |= half
        if self.fed == 3:
            self.fed = 0
            self.feed()
