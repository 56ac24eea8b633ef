"""The Realer cloud over MQTT, with HTTPS for what MQTT needs, and in its place where the owner lets it (`auto`).

A link (docs/ARCHITECTURE.md, "Link"). Owns the choice of the transport, the tuple, and its renewal by a controlled
reconnect; the session itself is `realer_broker`'s. Beside MQTT there is one HTTPS connection at most, and only while it
is needed. The tuple lives in memory only. Sources: Realer API, sections 6.1, 6.2, 6.7 and 14 rows 12 to 15.
"""

import asyncio
from micropython import const

from firmware.cloud import realer_mqtt as words
from firmware.core import verdict as v
from firmware.core.errors import AuthError, LinkError
from firmware.core.timing import Backoff, Timer
from firmware.links.realer_broker import Broker
from firmware.links.realer_https import RealerHttps

_REST_MS = const(20000)
_STEADY_MS = const(60000)  # a session this old has proved itself
_MOST_MISSES = const(3)
_LATE_MS = const(120000)  # before the end of the tuple: rather poll than let the authorization lapse
_REFRESH_MS = const(600000)


class RealerMqtt(RealerHttps):
    """`cfg["commands"]`: how many commands there can be."""

    def __init__(self, cfg, net, clock, rng, say):
        super().__init__(cfg, net, clock, rng, say)
        self.auto = cfg["transport"] == "auto"
        self.wished = words.scopes(cfg["commands"], self.auto)
        self.scopes = self.wished
        self.broker = Broker(net.dialer, clock, rng, say)
        self.steps = []  # what is still to be done over HTTPS beside the transport, in this order
        self.offer = self.tuple = self.limit = None
        self.notes = ()
        self.misses = 0  # attempts in a row that led to no steady session
        self.renewal = self.since = self.probe = self.pause = Timer(clock.ms())
        self.probes = Backoff(60000, 1800000, 30000)
        self.busy = asyncio.Lock()  # no report travels while one session is exchanged for another

    def reveal(self):
        """What the log has to mask: a broker may echo the password."""
        return self.tuple.password.reveal() if self.tuple else super().reveal()

    async def open(self):
        """Join MQTT, or in `auto` poll over HTTPS when that has failed too often."""
        self.first = None
        trying = not self.auto or self.misses < _MOST_MISSES or self.probe.passed(self.clock.ms())
        if trying and "mqtt" in self.protocols:
            try:
                await self.join()
                if not self.steps:
                    self.client.close()
                return self.catalog
            except LinkError as e:
                if not self.auto or not self.poll_instead(e):
                    raise
                self.broker.close()
        self.lease.session = None
        try:
            return await super().open()
        except AuthError:
            # All is refused, not MQTT alone: so once it is allowed again, both will be.
            self.misses = 0
            self.scopes = self.wished
            raise

    async def next_desired(self):
        """Desired values, as they come or polled; None when there was nothing to hear yet."""
        now = self.clock.ms()
        if self.held and self.since.passed(now):
            self.misses = 0
            self.probes.reset()
        if not self.steps and (self.due(now) if self.held else self.may_probe(now)):
            self.steps = [self.read_offer, self.read_tuple, self.connect, self.catch_up]
        if self.steps and self.pause.passed(now):
            await self.upkeep()
        if not self.held or self.first is not None:
            return await super().next_desired()
        return await self.broker.listen(max(self.idle_ms(self.clock.ms()), 1))

    async def send(self, reports):
        """Deliver some of `reports`: (message_id, verdict) of those that are over."""
        if not self.held:
            return await super().send(reports)
        await self.busy.acquire()
        try:
            done = await self.broker.send(reports)
        finally:
            self.busy.release()
        now = self.clock.ms()
        if [1 for _, found in done if found != v.OK] and self.renewal.left_ms(now) > _REFRESH_MS:
            # Something in the catalog is not what it was; it is read again with every renewal.
            self.renewal = Timer(now, _REFRESH_MS)
        return done

    def close(self):
        """Drop every connection. Never raises. The tuple stays for the next `open`."""
        if self.held and self.auto and not self.since.passed(self.clock.ms()):
            self.poll_instead(LinkError("the session did not last"))
        self.held = False
        self.steps = []
        self.broker.close()
        super().close()

    async def shutdown(self):
        """Give the token back, and with it every tuple made from it; after all other tasks."""
        self.held, self.tuple = False, None
        self.broker.close(True)
        await super().shutdown()

    # -- the steps --

    async def join(self):
        """Be on MQTT with the tuple at hand or a fresh one, and know what is wanted by now. LinkError."""
        self.misses += 1
        steps = [self.read_offer, self.read_tuple, self.connect, self.catch_up]
        if self.tuple and self.catalog and not self.renewal.passed(self.clock.ms()):
            try:
                await self.connect()
                # The pins are known; what was missed is read when a request may go.
                self.steps = [self.catch_up]
                steps = []
            except LinkError:
                if not self.broker.refused:
                    raise
        for step in steps:
            while await step():
                self.alive()

    async def upkeep(self):
        """The next step, when a request may go: between them the transport is listened to. LinkError."""
        if not self.held and not await self.slot(self.cadence.report_wait_ms):
            return
        now = self.clock.ms()
        if self.cadence.wait_ms(now):
            return
        step = self.steps[0]
        try:
            if await step():
                return
        except LinkError as e:
            # Without a session, or soon without authorization, there is nothing to go on with.
            lost = self.held and (step == self.connect or (self.auto and self.limit.left_ms(now) < _LATE_MS))
            if lost or isinstance(e, AuthError):
                raise
            if self.held:
                self.pause = Timer(now, max(self.renewals.next_ms(self.rng()), e.retry_after_s * 1000))
                self.say("warning", "beside MQTT: %s" % e)
            else:
                self.steps = []
                self.broker.close()
                self.misses = max(self.misses, _MOST_MISSES)
                self.poll_instead(e)
            return
        self.steps.remove(step)
        if not self.steps:
            self.renewals.reset()
            if self.held:
                self.client.close()

    def may_probe(self, now):
        return self.auto and "mqtt" in self.protocols and self.probe.passed(now)

    def due(self, now):
        return self.renewal.passed(now) or self.lease.renewal.passed(now)

    def idle_ms(self, now):
        """How long there is nothing to do but listen."""
        if self.steps:
            return min(_REST_MS, max(self.pause.left_ms(now), self.cadence.wait_ms(now)))
        return min(_REST_MS, self.renewal.left_ms(now), self.lease.renewal.left_ms(now))

    async def read_offer(self):
        """The MQTT catalog."""
        offer = words.offer(await self.read_mqtt("mqtt"))
        if offer.notes != self.notes:
            self.notes = offer.notes
            for note in offer.notes:
                self.say("warning", note)
        if not offer.endpoint:
            raise self.unavailable(v.GONE, "MQTT is not available for this device")
        self.fresh = offer

    async def read_tuple(self):
        """A fresh tuple for it."""
        asked = self.clock.ms()
        self.tuple = words.credential(await self.read_mqtt(self.fresh.endpoint, self.fresh.body))
        self.offer = self.fresh
        self.renewal = Timer(asked, self.tuple.renew_s * 1000)
        self.limit = Timer(asked, self.tuple.expires_s * 1000)

    async def read_mqtt(self, what, text=""):
        """In `auto` a refusal may concern MQTT alone, and polling goes on; else it is the end of the authorization."""
        found, body, said = await self.exchange(what, text, not self.auto)
        self.alive()
        if found != v.OK:
            raise LinkError(said) if found == v.SLOW else self.unavailable(found, said)
        return body

    def unavailable(self, found, said):
        self.misses = max(self.misses, _MOST_MISSES)  # soon again would be as bad
        return LinkError(said) if self.auto else self.refused(found, said)

    async def connect(self):
        """Be subscribed with the tuple; an older session is exchanged for the new one (section 6.7)."""
        await self.busy.acquire()
        try:
            now = self.clock.ms()
            if self.held:
                await self.broker.disconnect()
            await self.broker.connect(self.offer, self.tuple)
            if self.held:
                self.say("info", "MQTT credential renewed, %d ms without a session" % self.clock.since(now))
        finally:
            self.busy.release()
        if self.catalog:
            self.take_up()

    def take_up(self):
        """MQTT is the transport from now on."""
        self.catalog = words.tied(self.catalog, self.offer.routes)
        self.broker.wishes = words.wishes(self.catalog, self.offer.routes)
        self.lease.session = self.limit
        if not self.held:
            self.held = True
            self.since = Timer(self.clock.ms(), _STEADY_MS)
            self.say("info", "on MQTT")

    async def catch_up(self):
        """Read once what is wanted: what was published meanwhile may not have waited for us. True: once more, when the
        rate limit is over."""
        self.alive()
        self.first = await self.poll()
        if self.first is None:
            return True
        self.take_up()

    def poll_instead(self, error):
        """Note a failed attempt; whether to poll over HTTPS for now."""
        if isinstance(error, AuthError):
            # Either the keys are wrong, or this cloud knows no such scopes.
            self.scopes = ""
        elif self.misses < _MOST_MISSES:
            return False
        wait = self.probes.next_ms(self.rng())
        self.probe = Timer(self.clock.ms(), wait)
        self.say("warning", "polling over HTTPS, MQTT again in %d s: %s" % (wait // 1000, error))
        return True
