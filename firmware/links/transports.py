"""The Realer cloud over MQTT, with HTTPS for what MQTT needs, and in its place where the owner lets it (`auto`).

A link (docs/ARCHITECTURE.md, "Link") of two halves, of which both are in memory where two TLS connections fit, and else
one at a time: everything over HTTPS first, then it is closed and dropped, and MQTT is loaded and connected. The broker
keeps the session meanwhile, so nothing is missed. States and steps: docs/ARCHITECTURE.md, "Halves of a link". Sources:
Realer API, sections 6.1, 6.2, 6.7 and 14 rows 12 to 15.
"""

import asyncio
from micropython import const

from firmware.core.errors import AuthError, LinkError
from firmware.core.timing import Backoff, Timer
from firmware.core.transport_choice import TransportChoice
from firmware.core.verdict import OK
from firmware.links.account import Account
from firmware.links.polling import Polling
from units.loader import Unit

_REST_MS = const(20000)
_STEADY_MS = const(60000)  # a session this old counts as a good one
_LATE_MS = const(120000)  # before the credentials end: rather poll than let the authorization lapse
_REFRESH_MS = const(600000)
_SOON_MS = const(600000)  # a token that is renewed anyway within this time is renewed with the credentials
_AGAIN_MS = const(60000)  # least time between two attempts to renew that each cost the session, while they fail
_ROOM = const(30000)  # bytes of Python heap that MQTT takes, with what has to stay free


class Transports:
    """`account`: see Account."""

    waits = Polling.waits

    def __init__(self, account):
        now = account.clock.ms()
        self.account = account
        self.clock = account.clock
        self.lease = account.lease
        self.polling = Polling(account)
        self.auto = account.cfg["transport"] == "auto"
        self.choice = TransportChoice(self.auto, now)
        self.unit = Unit(_mqtt, account.clock.sleep_ms)
        self.session = None  # the MQTT half, while it is loaded
        self.alone = False  # one TLS connection at a time
        self.steps = []  # what is still to be done, in this order
        self.catalog_read = None  # MqttCatalog as read last
        self.mqtt_catalog = self.credentials = self.limit = None  # those in use, and Timer of their end
        self.topics = {}  # {desired topic: command id}
        self.notes = ()
        self.kept = False  # the broker may be asked to go on with the session
        self.looked = False  # what is wanted was read since the last connect to a broker that knew no session
        self.renewal = self.since = self.pause = Timer(now)
        self.failures = Backoff(5000, 60000)  # of steps beside a session
        self.busy = asyncio.Lock()  # no report travels while the transport changes

    @property
    def catalog(self):
        return self.account.catalog

    def watch(self, alive):
        """See Polling."""
        self.account.alive = alive

    def masked(self):
        """What the log must never show."""
        return self, self.account

    def reveal(self):
        """A broker may echo the password."""
        return self.credentials.password.reveal() if self.credentials else "\n"

    async def open(self):
        """Connect over MQTT, or in `auto` poll over HTTPS when that has failed too often."""
        account = self.account
        account.desired = None
        self.alone = not account.net.two_fit()
        if not self.polling.realino and self.choice.tries_mqtt(self.clock.ms()):
            try:
                await self.join()
                return account.catalog
            except LinkError as e:
                self.leave_mqtt()
                if not (isinstance(e, AuthError) and self.polling.other_generation(e)):
                    if not self.auto or not self.poll_instead(e):
                        raise
        self.lease.session = None
        try:
            return await self.polling.open()
        except AuthError:
            # All is refused, not MQTT alone: so once it is allowed again, both will be.
            self.choice.misses = 0
            account.plain = False
            raise

    async def next_desired(self):
        """Desired values, as they come or polled; None when there was nothing to receive yet."""
        account = self.account
        now = self.clock.ms()
        if account.on_mqtt and self.since.passed(now):
            self.choice.steady()
        if not self.steps and (self.due(now) if account.on_mqtt else self.choice.probes_mqtt(now)):
            if account.on_mqtt or self.mqtt_allowed():
                self.steps = self.all_steps()
        if self.steps and self.pause.passed(now):
            await (self.change() if self.alone else self.upkeep())
        if not account.on_mqtt or account.desired is not None:
            return await self.polling.next_desired()
        return await self.session.listen(max(self.idle_ms(self.clock.ms()), 1))

    async def send(self, reports):
        """Deliver some of `reports`: (message_id, outcome) of those that are over."""
        await self.busy.acquire()
        try:
            if not self.account.on_mqtt:
                return await self.polling.send(reports)
            done = await self.session.send(reports)
        finally:
            self.busy.release()
        now = self.clock.ms()
        if [1 for _, outcome in done if outcome != OK] and self.renewal.left_ms(now) > _REFRESH_MS:
            # Something in the catalog is not what it was; it is read again with every renewal.
            self.account.rows = None
            self.renewal = Timer(now, _REFRESH_MS)
        return done

    def close(self):
        """Drop every connection. Never raises. The credentials stay for the next `open`."""
        if self.account.on_mqtt and self.auto and not self.since.passed(self.clock.ms()):
            self.poll_instead(LinkError("the session did not last"))
        self.account.on_mqtt = False
        self.steps = []
        if self.session:
            self.session.close()
        self.polling.close()

    async def shutdown(self):
        """Revoke the token, and with it the credentials made from it; after all other tasks."""
        self.account.on_mqtt, self.credentials = False, None
        if self.session:
            self.session.close(True)
            self.leave_mqtt()
        await self.polling.shutdown()

    def exclusive(self):
        """See Polling."""
        return self.alone

    async def lend(self, host, port):
        """See Polling."""
        return (await self.https()).lent(host, port)

    # -- the steps: each returns true while it has to be called again --

    def all_steps(self):
        return [self.read_catalog, self.read_credentials, self.connect] + (
            [] if self.alone else [self.catch_up]
        )

    async def begin(self):
        """Let the source find out of which generation the cloud is."""
        await (await self.https()).source.begin()
        if not self.mqtt_allowed():
            self.choice.give_up()
            raise LinkError("MQTT is not among the available protocols")

    async def read_catalog(self):
        """The MQTT catalog."""
        catalog = await self.setup(lambda setup: setup.catalog())
        if catalog.notes != self.notes:
            self.notes = catalog.notes
            for note in catalog.notes:
                self.account.log("warning", note)
        self.catalog_read = catalog

    async def read_credentials(self):
        """Fresh credentials for it."""
        asked = self.clock.ms()
        catalog, before = self.catalog_read, self.mqtt_catalog
        self.credentials = await self.setup(lambda setup: setup.credentials(catalog))
        self.mqtt_catalog = catalog
        account = self.account
        if self.alone and account.catalog and (not account.rows or catalog.routes != before.routes):
            # The catalog of commands and sensors is not what it was.
            self.steps.insert(1, self.catch_up)
        self.renewal = Timer(asked, self.credentials.renew_s * 1000)
        self.limit = Timer(asked, self.credentials.expires_s * 1000)

    async def connect(self):
        """Be subscribed with the credentials; an older session is exchanged for the new one (section 6.7)."""
        account = self.account
        locked = self.alone  # `change` has it
        if not locked:
            await self.busy.acquire()
        try:
            now = self.clock.ms()
            renewed = account.on_mqtt
            session = await self.mqtt()
            await session.disconnect()
            session.topics = self.topics
            try:
                await session.connect(self.mqtt_catalog, self.credentials)
            finally:
                self.kept = session.kept
            if renewed and not locked:
                self.tell_renewed(now)
        finally:
            if not locked:
                self.busy.release()
        if self.alone and not (account.catalog and (session.present or self.looked)):
            self.looked = True
            self.steps = [self.connect, self.catch_up, self.connect]
        elif account.catalog:
            await self.on_mqtt()

    async def catch_up(self):
        """Read once what is wanted: what was published meanwhile may not have waited for us. True: once more, when the
        rate limit is over."""
        account = self.account
        account.alive()
        account.desired = await (await self.https()).source.poll()
        if account.desired is None:
            return True
        await self.map_topics()
        if not self.alone:
            await self.on_mqtt()

    # -- what the steps are made of --

    async def join(self):
        """Be on MQTT with the credentials at hand or fresh ones, and know what is wanted by now. LinkError."""
        account = self.account
        now = self.clock.ms()
        self.choice.misses += 1
        self.looked = False
        usable = self.credentials and account.catalog and not self.renewal.passed(now)
        if usable and not (self.alone and (not self.lease.held or self.lease.renewal.passed(now))):
            try:
                if not self.alone:
                    await self.begin()
                self.steps = [self.connect]
                await self.run()
                if not self.alone:
                    # The pins are known; what was missed is read when a request may go.
                    self.steps = [self.catch_up]
                return
            except LinkError:
                if not (self.session and self.session.refused):
                    raise
        self.steps = [self.begin] + self.all_steps()
        await self.run()
        if not self.alone:
            self.polling.close()

    async def run(self):
        """All steps, one after the other."""
        while self.steps:
            if await self.steps[0]():
                self.account.alive()
            else:
                self.steps.pop(0)

    async def change(self):
        """All steps with one connection at a time: the session ends meanwhile. LinkError: it could not be had again."""
        account = self.account
        await self.busy.acquire()
        try:
            now = self.clock.ms()
            was_on_mqtt = account.on_mqtt
            self.looked = False
            if self.lease.renewal.left_ms(now) < _SOON_MS:
                self.lease.renewal = Timer(now)
            try:
                await self.run()
                self.failures.reset()
                if was_on_mqtt:
                    self.tell_renewed(now)
            except AuthError:
                raise
            except LinkError as e:
                await self.recover(e, was_on_mqtt)
            if account.renewals.failures:
                # The token has not been renewed, and still counts.
                now = self.clock.ms()
                self.pause = Timer(now, min(self.lease.token.left_ms(now) // 4, _AGAIN_MS))
        finally:
            self.busy.release()

    async def recover(self, error, was_on_mqtt):
        """After a change that failed: back to what there was before. LinkError: that is over too."""
        self.steps = []
        now = self.clock.ms()
        if not was_on_mqtt:
            if not self.auto:
                raise error
            self.leave_mqtt()
            self.account.rows = None  # the pins of a catalog for MQTT are those with a route
            self.choice.give_up()
            self.poll_instead(error)
        elif self.limit.left_ms(now) < (_LATE_MS if self.auto else 1):
            raise error
        else:
            self.put_off(now, error)
            self.steps = [self.connect]
            await self.run()

    async def upkeep(self):
        """The next step, when a request may go: between them the transport is listened to. LinkError."""
        account = self.account
        http = await self.polling.bring()
        limiter = http.limiter
        if not account.on_mqtt and not await http.slot(limiter.report_wait_ms):
            return
        now = self.clock.ms()
        if limiter.wait_ms(now):
            return
        step = self.steps[0]
        try:
            if await step():
                return
        except LinkError as e:
            # Without a session, or soon without authorization, there is nothing to go on with.
            lost = account.on_mqtt and (
                step == self.connect or (self.auto and self.limit.left_ms(now) < _LATE_MS)
            )
            if lost or isinstance(e, AuthError):
                raise
            if account.on_mqtt:
                self.put_off(now, e)
            else:
                self.steps = []
                if self.session:
                    self.session.close()
                self.choice.give_up()
                self.poll_instead(e)
            return
        self.steps.remove(step)
        if not self.steps:
            self.failures.reset()
            if account.on_mqtt:
                self.polling.close()

    def put_off(self, now, error):
        wait = max(self.failures.next_ms(self.account.rng()), error.retry_after_s * 1000)
        self.pause = Timer(now, max(wait, _AGAIN_MS) if self.alone else wait)
        self.account.log("warning", "beside MQTT: %s" % error)

    async def https(self):
        """The HTTPS half, whose connection may be dialed now. LinkError."""
        if self.alone and self.session:
            await self.session.disconnect()
            self.leave_mqtt()
        if not await self.unit.gone():
            raise LinkError("memory: the code of MQTT is still referred to")
        return await self.polling.bring()

    async def mqtt(self):
        """The MQTT half, which may dial now. LinkError."""
        if self.alone:
            self.polling.leave()
        if not self.session:
            net = self.account.net
            if self.alone and not await self.polling.unit.gone():
                raise LinkError("memory: the code of HTTPS is still referred to")
            free = net.heap_free()
            if free is not None and free < _ROOM:
                message = "memory: MQTT takes up to %d bytes of heap, %d are free" % (_ROOM, free)
                if self.auto and self.choice.exclude():
                    message += "; polling over HTTPS for good"
                raise LinkError(message)
            if not await self.unit.gone():
                raise LinkError("memory: the code of MQTT is still referred to")
            self.session = self.unit.load()(self.account, self.kept)
        return self.session

    def leave_mqtt(self):
        """Close and drop the MQTT half; `mqtt` and `https` wait for its memory. Never raises."""
        session, self.session = self.session, None
        if session:
            session.close()
            self.kept = session.kept
            self.unit.drop()

    async def setup(self, call):
        """What a verb of MqttSetup returns: `call(setup)`, awaited."""
        http = await self.https()
        unit = Unit(_setup, self.clock.sleep_ms)
        setup = unit.load()(http, not self.auto)
        try:
            return await call(setup)
        finally:
            if setup.unavailable:
                self.choice.give_up()
            unit.drop()

    async def map_topics(self):
        """Know which commands and sensors have a route."""
        unit = Unit(_with_routes, self.clock.sleep_ms)
        try:
            self.account.catalog, self.topics = unit.load()(self.account.catalog, self.mqtt_catalog.routes)
        finally:
            unit.drop()

    async def on_mqtt(self):
        """MQTT is the transport from now on."""
        account = self.account
        if not self.alone:
            await self.map_topics()
        self.session.topics = self.topics
        self.lease.session = self.limit
        if not account.on_mqtt:
            account.on_mqtt = True
            self.since = Timer(self.clock.ms(), _STEADY_MS)
            account.log("info", "on MQTT")

    def tell_renewed(self, start):
        self.account.log(
            "info", "MQTT credentials renewed, %d ms without a session" % self.clock.since(start)
        )

    def mqtt_allowed(self):
        return "mqtt" in self.account.protocols

    def due(self, now):
        return self.renewal.passed(now) or self.lease.renewal.passed(now)

    def idle_ms(self, now):
        """How long there is nothing to do but listen."""
        if self.steps:
            http = self.polling.http
            wait = http.limiter.wait_ms(now) if http else 0
            return min(_REST_MS, max(self.pause.left_ms(now), wait))
        return min(_REST_MS, self.renewal.left_ms(now), self.lease.renewal.left_ms(now))

    def poll_instead(self, error):
        """Note a failed attempt; whether to poll over HTTPS for now."""
        account = self.account
        refused = isinstance(error, AuthError)
        if refused:
            # Either the keys are wrong, or this cloud knows no such scopes.
            account.plain = True
        wait = self.choice.poll_instead(self.clock.ms(), account.rng(), refused)
        if wait is None:
            return False
        account.log("warning", "polling over HTTPS, MQTT again in %d s: %s" % (wait // 1000, error))
        return True


def _mqtt():
    from firmware.links.mqtt import MqttSession

    return MqttSession


def _setup():
    from firmware.links.mqtt_setup import MqttSetup

    return MqttSetup


def _with_routes():
    from firmware.links.mqtt_setup import with_routes

    return with_routes


def connected(cfg, net, clock, rng, log):
    """A row of LINKS."""
    return Transports(Account(cfg, net, clock, rng, log))
