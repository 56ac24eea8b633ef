"""The loop that communicates with the cloud over a link: it opens the link, receives, reports, and backs off after
errors.

It uses only the methods of the Link seam (docs/ARCHITECTURE.md). Desired values are passed to the controller; reports
in the outbox are sent over the link and removed once the cloud has answered.
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
_FLAPS = const(3)  # failures that still count after a connection that did not last: waits up to 16 s
_ANSWERS = const(8)  # queued acknowledgements from which receiving pauses; each takes 110 bytes
_MANY = const(24)  # half a full outbox
_ACK_BACKOFF_MS = const(2000)
_STEADY_MS = const(60000)  # a connection that lasted this long was steady
_SPREAD_MS = const(10000)
"""A random extra wait after a connection was lost: unless the cause was this device, a whole fleet may have lost it at
the same moment."""


class CloudLoop:
    """`network.ready()`: returns whether a connection may be tried. `probe_ms`: the first wait after a refusal.
    `catalog_unit`: the Unit that loads core.catalog.apply_catalog."""

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
                if self.online and self.since.passed(self.clock.ms()):  # it was steady
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
            # The wait ends early if the network is lost, or if network or clock have changed since the attempt began:
            # then its failure says nothing about the next one.
            while wait > 0 and network.ready() and network.turns == turns and not self.paused:
                feed()
                await self.clock.sleep_ms(min(wait, _SLICE_MS))
                wait -= _SLICE_MS

    async def pause(self):
        """Close the link and keep it closed until `resume`, so that its memory can be used for something else."""
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
            # Closing the link frees memory. If that is not enough, the escalation ladder takes stronger measures.
            net = self.network.net
            net.memory_failures += 1
            net.new_memory_failure = 1
            raise LinkError("memory: the Python heap is full: %s" % e)

    async def talk(self):
        self.apply_catalog(await self.link.open())
        self.contact()
        self.refusals.reset()
        # The cloud is reachable, but the connection has not lasted yet: only the long waits are cut.
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
            # At once, because over MQTT the wait for the control loop would be the longest part of the delay.
            self.controller.tick(link.lease, now, self.clock.utc())
            # Acknowledgements are written to flash before the same desired state can be received again.
            self.controller.outbox.keep()
            await self.drained()

    async def drained(self):
        """Wait until at most _ANSWERS acknowledgements are queued: after an outage, desired values may arrive faster
        than they can be acknowledged. If none is sent for a while, return anyway, so that desired values are applied
        slowly."""
        outbox = self.controller.outbox
        before, waiting = None, outbox.answers()
        while waiting > _ANSWERS:
            if before is None or waiting < before:
                # Wait longer if the outbox fills up, before reports have to be dropped.
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
                raise LinkError("the network is lost")  # at once, because joining needs the link's memory
            # Built only when it may be sent, because each complete report takes 150 bytes.
            batch = outbox.batch(await self.link.most_reports() if outbox.reports else 0)
            # Also with an empty batch, to replace this frame's references to the last call, which would keep code in
            # memory that is to be unloaded.
            for message_id, outcome in await self.link.send(batch):
                self.contact()
                if outcome == CONFLICT:
                    self.controller.reconcile(message_id)
                outbox.acknowledge(message_id)
            if not batch:
                await self.clock.sleep_ms(_IDLE_MS)

    def apply_catalog(self, catalog):
        if catalog is self.catalog:
            return  # applying it again has no effect, but would take memory for each message
        try:
            self.catalog_unit.load()(self.controller, catalog)
            self.catalog = catalog
        finally:
            self.catalog_unit.drop()

    def contact(self):
        """Record that the cloud has answered."""
        now = self.clock.ms()
        self.controller.safety.contact(now)
        self.controller.check(self.link.lease, now)

    def feed_half(self, half):
        """Call `feed` once both coroutines have called this. `half`: 1 for `listen`, 2 for `report`."""
        self.fed |= half
        if self.fed == 3:
            self.fed = 0
            self.feed()
