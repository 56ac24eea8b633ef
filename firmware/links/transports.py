"""The Realer cloud over MQTT. HTTPS brings what MQTT needs, and takes its place while MQTT fails, with `auto`.

A link (docs/ARCHITECTURE.md, "Link") of two halves, of which both are in memory where two TLS connections fit, and
else one at a time: everything over HTTPS first, then it is closed and dropped, and MQTT is loaded and connected. The
broker keeps the session meanwhile, so nothing is missed. This module has what a session at rest needs;
`transport_steps` changes the transport, and is in memory only while that goes on. States and steps:
docs/ARCHITECTURE.md, "Halves of a link".
"""

import asyncio
from micropython import const

from firmware.core.errors import AuthError, LinkError
from firmware.core.outcomes import OK
from firmware.core.timing import Backoff, Timer
from units.loader import Unit
from units.tasks import start

_REST_MS = const(20000)
_REFRESH_MS = const(600000)
_MOST_REPORTS = const(12)  # over MQTT, of which the session sends four at a time
_LEAST_REPORTS = const(4)
_REPORT = const(500)
_SPARE = const(9000)
_PAUSE_MS = const(200)
_STEADY_MS = const(60000)  # a session this old counts as a good one


class Transports:
    """`account`: see Account.

    | attribute                 | what it holds                                                                    |
    |---------------------------|----------------------------------------------------------------------------------|
    | `single`                  | one TLS connection at a time                                                     |
    | `session`                 | the MQTT half, while it is loaded                                                |
    | `polling`                 | Polling, which has the HTTPS half: while it is loaded                            |
    | `steps`                   | names of what is still to be done, verbs of TransportSteps, in this order        |
    | `catalog_read`            | MqttCatalog as read last                                                         |
    | `mqtt_catalog`, `credentials`, `limit` | those in use, and the Timer of their end                            |
    | `renewal`, `pause`        | Timers: when fresh ones are asked for; until when not, after a failure           |
    | `topics`                  | {desired topic: command id}                                                      |
    | `kept`                    | the broker may be asked to go on with the session                                |
    | `choice`                  | state of TransportChoice                                                         |
    | `fits`                    | True: the MQTT catalog was read once, so there is room; False: there is none     |
    """

    waits = 2000, 300000

    def __init__(self, account):
        now = account.clock.ms()
        self.account = account
        self.clock = account.clock
        self.lease = account.lease
        self.polling = None
        self.polling_unit = Unit(_polling, account.clock.sleep_ms)
        self.auto = account.cfg["transport"] == "auto"
        self.choice = None
        self.mqtt_unit = Unit(_mqtt, account.clock.sleep_ms)
        self.steps_unit = Unit(_steps, account.clock.sleep_ms)
        self.changing = None  # a TransportSteps, while it is loaded
        self.start = start  # stays in memory, unlike what begins tasks
        self.session = None
        self.single = False
        self.steps = []
        self.catalog_read = self.mqtt_catalog = self.credentials = self.limit = None
        self.topics = {}
        self.notes = ()
        self.kept = False
        self.session_lasted = None  # whether the session that ended was a steady one
        self.session_lost = False  # the broker began a new session, and desired values were not polled since
        # What a change knows across its parts: it began with an opening; the credentials at hand are tried; MQTT was
        # the transport; an attempt failed; nothing has to be read but what the broker did not keep; all was read.
        self.opening = self.reuses_credentials = self.was_on_mqtt = self.retried = self.polled = (
            self.caught_up
        ) = False
        self.refused = False
        self.fits = None
        self.polls = self.dialed = False  # `open` goes on over HTTPS; that is connected for the next step
        self.gap_start = now  # when the session was ended for a change
        self.renewal = self.since = self.pause = self.probe = Timer(now)
        self.failures = Backoff(5000, 60000)  # of steps beside a session
        self.busy = asyncio.Lock()  # no report travels while the transport changes

    @property
    def catalog(self):
        return self.account.catalog

    def watch(self, feed):
        """See Polling."""
        self.account.feed = feed

    def masked(self):
        """What the log must never show."""
        return self, self.account

    def reveal(self):
        """A broker may echo the password."""
        return self.credentials.password.reveal() if self.credentials else "\n"

    async def open(self):
        """Connect over MQTT, or in `auto` poll over HTTPS when that has failed too often."""
        self.account.desired = None
        self.single = not self.account.net.two_fit()
        self.polls = False
        await (self.change("open") if self.single else self.proceed("open"))
        if self.polls:
            self.lease.session = None
            try:
                await self.polling.open()
            except AuthError:
                await self.work("refused_all")
                raise
        return self.account.catalog

    async def next_desired(self):
        """Desired values, as they come or polled; None when there was nothing to receive yet."""
        account = self.account
        now = self.clock.ms()
        if not self.steps and self.due(now):
            self.steps = ["begin_change"]
        if self.steps and self.pause.passed(now):
            await (self.change("change") if self.single else self.work("upkeep"))
        if not account.on_mqtt:
            return await self.polling.next_desired()
        desired, account.desired = account.desired, None
        if desired is not None:
            return desired
        return await self.session.listen(max(self.idle_ms(self.clock.ms()), 1))

    async def most_reports(self):
        """See Link."""
        await self.busy.acquire()
        try:
            if not self.account.on_mqtt:
                return await self.polling.most_reports()
            # After an outage desired states that wait have the memory.
            free = self.account.net.heap_free() - _SPARE
            return max(min(free // _REPORT, _MOST_REPORTS), _LEAST_REPORTS)
        finally:
            self.busy.release()

    async def send(self, reports):
        """Deliver some of `reports`: (message_id, outcome) of those that are over."""
        if not reports:
            return ()
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
        account = self.account
        if account.on_mqtt:
            self.session_lasted = self.since.passed(self.clock.ms())
        account.on_mqtt = False
        self.steps = []
        account.net.forget_prepared()
        if self.single:
            # No half is needed before the next `open`, and without a network others need the memory.
            self.unload_mqtt()
            if self.polling:
                self.polling.unload()
            return
        if self.session:
            self.session.close()
        if self.polling:
            self.polling.close()

    async def shutdown(self):
        """Revoke the token, and with it the credentials made from it; after all other tasks."""
        self.account.on_mqtt, self.credentials = False, None
        self.changing = self.mqtt_catalog = None
        self.steps_unit.drop()
        if self.session:
            self.session.close(True)
            self.unload_mqtt()
        try:
            # What was interrupted may still refer to MQTT; perhaps there is room beside it.
            polling = await self.load_polling(True)
        except MemoryError:
            return  # there is no room for telling the cloud
        await polling.shutdown()

    def exclusive(self):
        """See Polling."""
        return self.single

    async def lend(self, host, port):
        """See Polling."""
        if not self.single:
            return await (await self.load_polling()).lend(host, port)
        self.unload_mqtt()
        await self.unload_polling()
        if not await self.mqtt_unit.gone():
            raise self.account.net.stuck()

    # -- the steps --

    async def change(self, verb):
        """Open, renew what MQTT needs, or try it, with one connection at a time. LinkError: there is no session."""
        net = self.account.net
        await self.busy.acquire()
        try:
            while net.asking_time:
                self.account.feed()
                await self.clock.sleep_ms(_PAUSE_MS)
            net.changing_transport = True
            self.gap_start = self.clock.ms()
            await self.proceed(verb)
        finally:
            net.changing_transport = False
            self.busy.release()

    async def proceed(self, verb):
        """Let TransportSteps do what is to be done. Where only one half fits, it is not in memory while either is
        connected: connecting takes what it has."""
        error = self.dialed = None
        while True:
            if self.single and self.session:
                await self.session.disconnect()
                self.unload_mqtt()
            await self.work(verb, error)
            if not (self.single and self.steps):
                return
            error = await (self.connected() if self.steps[0] == "connect" else self.reached())
            if not (error or self.steps):
                return
            verb = "go_on"

    async def work(self, verb, error=None):
        """Call a verb of TransportSteps, which is loaded for it, and stays where there is room and more to do."""
        await self.load_polling()
        if not self.changing:
            self.changing = self.steps_unit.load()(self)
        try:
            await getattr(self.changing, verb)(error)
        finally:
            if self.single or not self.steps:
                self.changing = None
                self.steps_unit.drop()

    async def connected(self):
        """Connect over MQTT; None, or the LinkError why not."""
        unit = Unit(_connecting, self.clock.sleep_ms)
        try:
            if self.single:
                await self.unload_polling()
            await unit.load()(self).connect()
        except LinkError as e:
            return e
        finally:
            unit.drop()

    async def reached(self):
        """Have a token and a connection over HTTPS for the next step; None, or the LinkError why not."""
        try:
            http = await self.polling.load()
            await http.have_token()
            await http.connected()
        except LinkError as e:
            return e
        self.dialed = True

    def use_mqtt(self):
        """MQTT is the transport from now on."""
        account = self.account
        self.session.route(self.topics)
        self.lease.session = self.limit
        if not account.on_mqtt:
            account.on_mqtt = True
            self.since = Timer(self.clock.ms(), _STEADY_MS)
            account.log("info", "on MQTT")

    def unload_mqtt(self):
        """Close and drop the MQTT half, whose memory is waited for before anything else is loaded. Never raises."""
        session, self.session = self.session, None
        if session:
            session.close()
            self.kept = session.kept
            self.mqtt_unit.drop()

    async def load_polling(self, anyway=False):
        """Polling, loaded if need be. LinkError: the memory of what was dropped before has not come back; `anyway`
        tries it all the same."""
        if not self.polling:
            for unit in (self.mqtt_unit, self.polling_unit):
                if not (await unit.gone() or anyway):
                    raise self.account.net.stuck()
            self.polling = self.polling_unit.load()(self.account)
        return self.polling

    async def unload_polling(self):
        """Close and drop the HTTPS half, and what holds it. LinkError: its memory has not come back."""
        polling, self.polling = self.polling, None
        if polling:
            polling.unload()
            gone = await polling.unit.gone()
            polling = None
            self.polling_unit.drop()
            if not (gone and await self.polling_unit.gone()):
                raise self.account.net.stuck()

    def due(self, now):
        """Whether it is time to renew what MQTT needs, or to try MQTT again."""
        if self.account.on_mqtt:
            return self.renewal.passed(now) or self.lease.renewal.passed(now)
        return self.auto and self.probe and self.probe.passed(now)

    def idle_ms(self, now):
        """How long there is nothing to do but listen."""
        if self.steps:
            http = self.polling and self.polling.http
            wait = http.limiter.wait_ms(now) if http else 0
            return min(_REST_MS, max(self.pause.left_ms(now), wait))
        return min(_REST_MS, self.renewal.left_ms(now), self.lease.renewal.left_ms(now))


def _polling():
    from firmware.links.polling import Polling

    return Polling


def _mqtt():
    from firmware.links.mqtt import MqttSession

    return MqttSession


def _connecting():
    from firmware.links.mqtt_connecting import MqttConnecting

    return MqttConnecting


def _steps():
    from firmware.links.transport_steps import TransportSteps

    return TransportSteps
