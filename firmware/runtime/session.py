"""The loop that talks to the cloud through one link: open, listen, report, back off, again.

It knows links only by their verbs. What arrives goes to the controller; what waits in the outbox goes to the link and
leaves the outbox with the cloud's answer.
"""

from micropython import const

from firmware.core.errors import AuthError, LinkError
from firmware.core.timing import Backoff
from firmware.core.verdict import CONFLICT
from firmware.runtime.supervisor import until_first_fails

_BASE_MS = const(2000)
_CAP_MS = const(300000)
_SLICE_MS = const(5000)
_IDLE_MS = const(500)
_BATCH = const(20)
_LONGEST_MS = const(3600000)


class Session:
    """`ready()`: whether network and clock allow a connection; `refusals`: the Backoff after the cloud said no."""

    def __init__(self, clock, rng, link, controller, ready, refusals, say):
        self._clock = clock
        self._rng = rng
        self._link = link
        self._controller = controller
        self._ready = ready
        self._refusals = refusals
        self._failures = Backoff(_BASE_MS, _CAP_MS)
        self._say = say
        self._beat = None
        self._seen = 0
        self.online = False

    async def run(self, beat):
        self._beat = beat
        while True:
            while not self._ready():
                self._failures.reset()
                await self._rest(_IDLE_MS)
            try:
                await self._serve()
            except AuthError as e:
                wait = self._refusals.next_ms(self._rng())
                self._say("error", "refused: %s; next try in %d s" % (e, wait // 1000))
            except LinkError as e:
                wait = max(self._failures.next_ms(self._rng()), e.retry_after_s * 1000)
                self._say("warning", "link failed: %s; next try in %d s" % (e, wait // 1000))
            finally:
                self.online = False
                self._link.close()
            await self._rest(min(wait, _LONGEST_MS))

    async def _serve(self):
        controller = self._controller
        controller.adopt(await self._link.open())
        self._contact()
        self._refusals.reset()
        self._failures.reset()
        self.online = True
        self._say("info", "online")
        await until_first_fails(self._listen(), self._report())

    async def _listen(self):
        catalog = self._link.catalog
        while True:
            self._pulse(1)
            wanted = await self._link.next_desired()
            if wanted is None:
                continue
            self._contact()
            if self._link.catalog is not catalog:
                catalog = self._link.catalog
                self._controller.adopt(catalog)
            now = self._clock.ms()
            for desired in wanted:
                self._controller.offer(desired, now)

    async def _report(self):
        outbox = self._controller.outbox
        while True:
            self._pulse(2)
            if self._clock.utc() is not None:
                outbox.stamp(self._clock.utc(), self._clock.ms())
            batch = outbox.batch(_BATCH)
            if not batch:
                await self._clock.sleep_ms(_IDLE_MS)
                continue
            for message_id, verdict in await self._link.send(batch):
                self._contact()
                if verdict == CONFLICT:
                    self._controller.reconcile(message_id)
                outbox.settle(message_id)

    def alive(self):
        """The link waits for the rate limit."""
        self._beat()

    def _contact(self):
        now = self._clock.ms()
        self._controller.safety.contact(now)
        self._controller.check(self._link.lease, now)

    def _pulse(self, who):
        """Both pumps have to show life for the loop to count as alive."""
        self._seen |= who
        if self._seen == 3:
            self._seen = 0
            self._beat()

    async def _rest(self, wait_ms):
        """Wait; a network that went away meanwhile makes the reason to wait void."""
        while wait_ms > 0:
            self._beat()
            await self._clock.sleep_ms(min(wait_ms, _SLICE_MS))
            wait_ms -= _SLICE_MS
            if not self._ready():
                return
