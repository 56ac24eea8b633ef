"""How a link changes between MQTT and HTTPS, step by step: in memory only while that goes on.

The state is that of `Transports`, which stays. Where two TLS connections fit, a change goes on beside the session that
there is; else the session ends first, and the broker keeps it. Sources: Realer API, sections 6.1, 6.2, 6.7 and 14 rows
12 to 15.
"""

import asyncio
from micropython import const

from firmware.core import verdict as v
from firmware.core.errors import AuthError, LinkError
from firmware.core.timing import Timer
from firmware.core.transport_choice import TransportChoice
from firmware.links.mqtt_connecting import connect
from netio.errors import NetError
from units.loader import Unit

_DIAL_MS = const(20000)
_STEADY_MS = const(60000)  # a session this old counts as a good one
_LATE_MS = const(120000)  # before the credentials end: rather poll than let the authorization lapse
_SOON_MS = const(600000)  # a token that is renewed anyway within this time is renewed with the credentials
_AGAIN_MS = const(
    60000
)  # least time between two attempts to renew that each cost the session, while they fail
_ROOM = const(20000)  # bytes of Python heap that MQTT takes while it connects


class TransportSteps:
    """`link`: a Transports. A step returns true while it has to be called again."""

    def __init__(self, link):
        self.link = link
        self.account = link.account
        self.clock = link.clock
        self.choice = TransportChoice(link.auto, link.clock.ms(), link.choice)
        self.seen = False  # what is wanted was read since this began
        self.looked = link.lease.held  # nothing has to be read anew but what the broker did not keep

    # -- the verbs of Transports --

    async def open(self):
        """Be on MQTT, or in `auto` poll over HTTPS when that has failed too often. LinkError."""
        link = self.link
        choice = self.choice
        link.alone = not self.account.net.two_fit()
        lasted, link.lasted = link.lasted, None
        if lasted:
            choice.steady()
        elif lasted is False and link.auto:
            self.poll_instead(LinkError("the session did not last"))
        try:
            if not link.polling.realino and choice.tries_mqtt(self.clock.ms()) and await self.joined():
                return
            link.lease.session = None
            await link.polling.open()
        except AuthError:
            # All is refused, not MQTT alone: so once it is allowed again, both will be.
            choice.misses = 0
            self.account.plain = False
            raise
        finally:
            self.save()

    async def change(self):
        """All steps with one connection at a time: a session ends meanwhile. LinkError: it could not be had again."""
        link = self.link
        try:
            was_on_mqtt = self.account.on_mqtt
            start = link.ended
            if link.lease.renewal.left_ms(start) < _SOON_MS:
                link.lease.renewal = Timer(start)
            try:
                await self.run()
                link.failures.reset()
                if was_on_mqtt:
                    self.log_renewed(start)
            except AuthError:
                raise
            except LinkError as e:
                await self.recover(e, was_on_mqtt)
            if self.account.renewals.failures:
                # The token has not been renewed, and still counts.
                now = self.clock.ms()
                link.pause = Timer(now, min(link.lease.token.left_ms(now) // 4, _AGAIN_MS))
        finally:
            self.save()

    async def upkeep(self):
        """The next step, when a request may go: between them the transport is listened to. LinkError."""
        link = self.link
        on_mqtt = self.account.on_mqtt
        if link.steps[0] == "begin_change":
            await self.begin_change()
            link.steps.pop(0)
            self.save()
            if not link.steps:
                return
        http = await link.polling.bring()
        limiter = http.limiter
        if not on_mqtt and not await http.slot(limiter.report_wait_ms):
            return
        now = self.clock.ms()
        if limiter.wait_ms(now):
            return
        step = link.steps[0]
        try:
            if await getattr(self, step)():
                return
        except LinkError as e:
            # Without a session, or soon without authorization, there is nothing to go on with.
            lost = on_mqtt and (step == "connect" or (link.auto and link.limit.left_ms(now) < _LATE_MS))
            if lost or isinstance(e, AuthError):
                raise
            if on_mqtt:
                self.put_off(now, e)
            else:
                self.fall_back(e)
            return
        finally:
            self.save()
        link.steps.remove(step)
        if not link.steps:
            link.failures.reset()
            if self.account.on_mqtt:
                link.polling.close()

    # -- the steps --

    async def begin_change(self):
        """Find out what has to be done, and do it next."""
        link = self.link
        if not self.account.on_mqtt and not self.allowed():
            self.choice.poll_instead(self.clock.ms(), self.account.rng(), True)
            return
        if not link.alone:
            link.steps += ["read_catalog", "read_credentials", "connect", "catch_up"]
        elif self.account.on_mqtt:
            # Two requests, so that the gap without a session is short; a catalog that changed adds a third.
            link.steps += ["read_credentials", "catch_up", "connect"]
        else:
            link.steps += ["read_catalog", "read_credentials", "connect"]

    async def begin(self):
        """Let the source find out of which generation the cloud is."""
        http = await self.https()
        await http.source.begin()
        if not self.allowed():
            self.choice.give_up()
            raise LinkError("MQTT is not among the available protocols")

    async def read_catalog(self):
        """The MQTT catalog."""
        link = self.link
        catalog = self.parsed(_catalog, await self.read("mqtt"))
        if not catalog.endpoint:
            raise self.unavailable(await self.https(), v.GONE, "MQTT is not available for this device")
        if catalog.notes != link.notes:
            link.notes = catalog.notes
            for note in catalog.notes:
                self.account.log("warning", note)
        link.catalog_read = catalog

    async def read_credentials(self):
        """Fresh credentials for it."""
        link = self.link
        asked = self.clock.ms()
        catalog = link.catalog_read
        link.credentials = self.parsed(_credentials, await self.read(catalog.endpoint, catalog.body))
        link.mqtt_catalog = catalog
        link.renewal = Timer(asked, link.credentials.renew_s * 1000)
        link.limit = Timer(asked, link.credentials.expires_s * 1000)
        if link.alone:
            link.lease.session = link.limit  # there is no other session any more

    async def connect(self):
        """Be subscribed with the credentials; an older session is exchanged for the new one (section 6.7)."""
        link = self.link
        account = self.account
        if not link.alone:
            await link.busy.acquire()  # otherwise `change` has it
        try:
            start = self.clock.ms()
            renewed = account.on_mqtt
            session = await self.mqtt()
            await session.disconnect()
            session.topics = link.topics
            try:
                await connect(session, link.mqtt_catalog, link.credentials)
            finally:
                link.kept = session.kept
            if renewed and not link.alone:
                self.log_renewed(start)
        finally:
            if not link.alone:
                link.busy.release()
        if link.alone and not (account.catalog and self.looked and (session.present or self.seen)):
            link.steps += ["catch_up", "connect"]
        elif account.catalog:
            await self.on_mqtt()

    async def catch_up(self):
        """Read once what is wanted: what was published meanwhile may not have waited for us. True: once more, when the
        rate limit is over."""
        account = self.account
        account.alive()
        http = await self.https()
        catalog = account.catalog
        account.desired = await http.source.poll()
        if account.desired is None:
            return True
        if self.link.alone and account.on_mqtt and catalog is not account.catalog:
            await self.read_catalog()
            self.link.mqtt_catalog = self.link.catalog_read
        self.looked = self.seen = True
        self.map_topics()
        if not self.link.alone:
            await self.on_mqtt()

    # -- what they are made of --

    async def joined(self):
        """Whether MQTT is the transport now. False: poll instead. LinkError."""
        link = self.link
        try:
            await self.join()
            return True
        except LinkError as e:
            link.steps = []
            link.leave_mqtt()
            if isinstance(e, AuthError) and link.polling.other_generation(e):
                return False
            if not link.auto or not self.poll_instead(e):
                raise
            return False

    async def join(self):
        """Be on MQTT with the credentials at hand or fresh ones, and know what is wanted by now. LinkError."""
        link = self.link
        now = self.clock.ms()
        self.choice.misses += 1
        refused = link.session and link.session.refused
        usable = link.credentials and self.account.catalog and not (refused or link.renewal.passed(now))
        if usable and not (link.alone and (not link.lease.held or link.lease.renewal.passed(now))):
            try:
                link.steps = ["connect"] if link.alone else ["begin", "connect"]
                await self.run()
                if not link.alone:
                    # The pins are known; what was missed is read when a request may go.
                    link.steps = ["catch_up"]
                return
            except LinkError:
                if not (link.session and link.session.refused):
                    raise
        link.steps = ["begin", "begin_change"]
        await self.run()
        if not link.alone:
            link.polling.close()

    async def run(self):
        """All steps, one after the other."""
        steps = self.link.steps
        while steps:
            step = steps[0]
            if await getattr(self, step)():
                self.account.alive()
            else:
                steps.pop(0)

    async def recover(self, error, was_on_mqtt):
        """After a change that failed: back to what there was before. LinkError: that is over too."""
        link = self.link
        now = self.clock.ms()
        if not was_on_mqtt:
            if not link.auto:
                raise error
            self.fall_back(error)
        elif link.limit.left_ms(now) < (_LATE_MS if link.auto else 1):
            raise error
        else:
            self.put_off(now, error)
            link.steps = ["connect"]
            await self.run()

    def fall_back(self, error):
        """Go on polling."""
        link = self.link
        link.steps = []
        link.leave_mqtt()
        if link.topics:
            link.topics = {}
            self.account.rows = None  # the catalog for MQTT has only what has a route
        self.choice.give_up()
        self.poll_instead(error)

    def put_off(self, now, error):
        """Go on with the session that there is."""
        link = self.link
        wait = max(link.failures.next_ms(self.account.rng()), error.retry_after_s * 1000)
        link.pause = Timer(now, max(wait, _AGAIN_MS) if link.alone else wait)
        self.account.log("warning", "beside MQTT: %s" % error)

    async def https(self):
        """The HTTPS half, whose connection may be dialed now. LinkError."""
        link = self.link
        if link.alone and link.session:
            await link.session.disconnect()
            link.leave_mqtt()
        if not await link.mqtt_unit.gone():
            raise LinkError("memory: the code of MQTT is still referred to")
        return await link.polling.bring()

    async def mqtt(self):
        """The MQTT half, which may dial now. LinkError."""
        link = self.link
        if link.alone:
            link.polling.leave()
        if not link.session:
            for unit in (link.polling.unit, link.mqtt_unit):
                if not await unit.gone():
                    raise LinkError("memory: code that was dropped is still referred to")
            self.check_room()
            if link.alone:
                await self.prepare()
            view = self.account.view if link.alone else None
            link.session = link.mqtt_unit.load()(self.account, link.kept, view)
        return link.session

    async def prepare(self):
        net = self.account.net
        catalog = self.link.mqtt_catalog
        try:
            await self.clock.within(_DIAL_MS, net.prepare(catalog.host, catalog.port))
        except asyncio.TimeoutError:
            raise LinkError("MQTT: timeout: connect")
        except NetError as e:
            raise LinkError("MQTT: %s" % net.explain(e))

    def check_room(self):
        """LinkError where the MQTT half does not fit; in `auto` it is not tried again then."""
        free = self.account.net.heap_free()
        if free is None or free >= _ROOM:
            return
        message = "memory: MQTT takes up to %d bytes of heap, %d are free" % (_ROOM, free)
        if self.link.auto:
            self.choice.exclude()
            message += "; polling over HTTPS from now on"
        raise LinkError(message)

    async def read(self, what, text=""):
        """The JSON of a reply over HTTPS. In `auto` a refusal may concern MQTT alone, and polling goes on; else it is the
        end of the authorization. LinkError."""
        http = await self.https()
        # While what that takes need not share the memory with what follows.
        await http.have_token()
        await http.connected()
        outcome, body, message = await http.exchange(what, text, not self.link.auto)
        self.account.alive()
        if outcome == v.SLOW:
            raise LinkError(message)
        if outcome != v.OK:
            raise self.unavailable(http, outcome, message)
        return body

    def unavailable(self, http, outcome, message):
        """The error to raise; another attempt soon would come to the same."""
        self.choice.give_up()
        return LinkError(message) if self.link.auto else http.refused(outcome, message)

    def parsed(self, importing, *args):
        """What a function of cloud.mqtt_catalog returns, loaded for that."""
        unit = Unit(importing, self.clock.sleep_ms)
        try:
            return unit.load()(*args)
        finally:
            unit.drop()

    def map_topics(self):
        """Know which commands and sensors have a route."""
        account = self.account
        account.catalog, self.link.topics = self.parsed(
            _mapped, account.catalog, self.link.mqtt_catalog.routes
        )

    async def on_mqtt(self):
        """MQTT is the transport from now on."""
        link = self.link
        account = self.account
        if not link.alone:
            self.map_topics()
        link.session.topics = link.topics
        link.lease.session = link.limit
        if not account.on_mqtt:
            account.on_mqtt = True
            link.since = Timer(self.clock.ms(), _STEADY_MS)
            account.log("info", "on MQTT")

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
        again = "" if self.choice.excluded else ", MQTT again in %d s" % (wait // 1000)
        account.log("warning", "polling over HTTPS%s: %s" % (again, error))
        return True

    def save(self):
        """Leave with the link what a later TransportSteps goes on with."""
        link = self.link
        link.choice = self.choice.state()
        link.probe = None if self.choice.excluded else self.choice.probe

    def log_renewed(self, start):
        took = self.clock.since(start)
        self.account.log("info", "MQTT credentials renewed, %d ms without a session" % took)

    def allowed(self):
        return "mqtt" in self.account.protocols


def _catalog():
    from firmware.cloud.mqtt_catalog import catalog

    return catalog


def _credentials():
    from firmware.cloud.mqtt_catalog import credentials

    return credentials


def _mapped():
    from firmware.cloud.mqtt_catalog import mapped

    return mapped
