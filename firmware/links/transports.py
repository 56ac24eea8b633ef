"""The Realer cloud over MQTT. HTTPS gets what MQTT needs and, with `auto`, replaces MQTT while that fails.

A link (docs/ARCHITECTURE.md, "Link") of two halves. Both are loaded if there is memory for two TLS connections,
otherwise one at a time: first all requests over HTTPS, then the HTTPS half is unloaded, and MQTT is loaded and
connected. The broker keeps the session meanwhile, so nothing is missed. This module has what an established session
needs; `transport_steps` changes the transport, and is in memory only for that. States and steps: docs/ARCHITECTURE.md,
"Halves of a link".
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
_MOST_REPORTS = const(12)  # over MQTT; the session publishes four at a time
_LEAST_REPORTS = const(4)
_REPORT = const(500)
_SPARE = const(9000)
_PAUSE_MS = const(200)
_STEADY_MS = const(60000)  # a session that lasted this long was steady


class Transports:
    """`account`: see Account.

    | attribute                 | what it holds                                                                    |
    |---------------------------|----------------------------------------------------------------------------------|
    | `single`                  | only one TLS connection at a time                                                |
    | `session`                 | the MQTT half, while it is loaded                                                |
    | `polling`                 | Polling, which has the HTTPS half, while it is loaded                            |
    | `steps`                   | the steps still to be taken, in order: names of methods of TransportSteps        |
    | `catalog_read`            | MqttCatalog as last read                                                         |
    | `mqtt_catalog`, `credentials`, `limit` | those in use, and the Timer until the credentials expire            |
    | `renewal`, `pause`        | Timers until new credentials are due, and until the next step after a failure    |
    | `topics`                  | {desired topic: command id}                                                      |
    | `kept`                    | the broker may still have the session, so it may be resumed                      |
    | `choice`                  | `state()` of a TransportChoice                                                   |
    | `fits`                    | whether there is memory for MQTT; None: not known before the catalog was read    |
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
        self.start = start  # its code must stay in memory, unlike that of `mqtt_connecting`, which starts tasks with it
        self.session = None
        self.single = False
        self.steps = []
        self.catalog_read = self.mqtt_catalog = self.credentials = self.limit = None
        self.topics = {}
        self.notes = ()
        self.kept = False
        self.session_lasted = None  # whether the last session was steady, until that is handled
        self.session_lost = False  # the broker began a new session, and desired values were not polled since
        # State of a change: it began with `open`; the existing credentials are tried; MQTT was the transport before; a
        # step failed; desired values were polled since the lease began; they were polled during this change.
        self.opening = self.reuses_credentials = self.was_on_mqtt = self.retried = self.polled = (
            self.caught_up
        ) = False
        self.refused = False
        self.fits = None
        self.polls = self.dialed = False  # `open` continues by polling; HTTPS is connected for the next step
        self.gap_start = now  # when the session was ended for a change
        self.renewal = self.since = self.pause = self.probe = Timer(now)
        self.failures = Backoff(5000, 60000)  # of steps during a session
        self.busy = asyncio.Lock()  # no report is sent while the transport changes

    @property
    def catalog(self):
        return self.account.catalog

    def watch(self, feed):
        """See Polling."""
        self.account.feed = feed

    def masked(self):
        """See Polling."""
        return self, self.account

    def reveal(self):
        """Return the text that the log must mask: a broker may echo the password."""
        return self.credentials.password.reveal() if self.credentials else "\n"

    async def open(self):
        """See Link. Connect over MQTT, or in `auto` poll over HTTPS if MQTT has failed too often. LinkError,
        AuthError."""
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
        """See Link. Also renews what MQTT needs, and tries MQTT again, when that is due. LinkError, AuthError."""
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
            # After an outage waiting desired states take much of the memory.
            free = self.account.net.heap_free() - _SPARE
            return max(min(free // _REPORT, _MOST_REPORTS), _LEAST_REPORTS)
        finally:
            self.busy.release()

    async def send(self, reports):
        """See Link. LinkError, AuthError."""
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
            # The catalog may have changed. It is read again with every renewal, so renew soon.
            self.account.rows = None
            self.renewal = Timer(now, _REFRESH_MS)
        return done

    def close(self):
        """Close every connection. Never raises. The credentials stay for the next `open`."""
        account = self.account
        if account.on_mqtt:
            self.session_lasted = self.since.passed(self.clock.ms())
        account.on_mqtt = False
        self.steps = []
        account.net.forget_prepared()
        if self.single:
            # Neither half is needed before the next `open`, and without a network other code needs the memory.
            self.unload_mqtt()
            if self.polling:
                self.polling.unload()
            return
        if self.session:
            self.session.close()
        if self.polling:
            self.polling.close()

    async def shutdown(self):
        """Revoke the token and thereby the MQTT credentials. Call it after all tasks have ended. Never raises."""
        self.account.on_mqtt, self.credentials = False, None
        self.changing = self.mqtt_catalog = None
        self.steps_unit.drop()
        if self.session:
            self.session.close(True)
            self.unload_mqtt()
        try:
            # The interrupted tasks may still refer to the MQTT half. Perhaps there is memory for both.
            polling = await self.load_polling(True)
        except MemoryError:
            return  # no memory to revoke it: it expires by itself
        await polling.shutdown()

    def exclusive(self):
        """See Polling."""
        return self.single

    async def lend(self, host, port):
        """Return an HTTP client for another host. None: both halves are unloaded now, and the caller has the memory to
        load a client itself. LinkError."""
        if not self.single:
            return await (await self.load_polling()).client(host, port)
        self.unload_mqtt()
        await self.unload_polling()
        if not await self.mqtt_unit.gone():
            raise self.account.net.not_freed()

    # -- the steps --

    async def change(self, verb):
        """With one connection at a time: open, renew what MQTT needs, or try MQTT. LinkError: there is no session."""
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
        """Have TransportSteps take the steps. With one connection at a time, it is unloaded to connect, which needs its
        memory. LinkError."""
        error = self.dialed = None
        while True:
            if self.single and self.session:
                await self.session.disconnect()
                self.unload_mqtt()
            await self.work(verb, error)
            if not (self.single and self.steps):
                return
            error = await (self.connect_mqtt() if self.steps[0] == "connect" else self.connect_https())
            if not (error or self.steps):
                return
            verb = "go_on"

    async def work(self, verb, error=None):
        """Call a verb of TransportSteps, which is loaded for that. With two connections it stays while there are steps.
        LinkError."""
        await self.load_polling()
        if not self.changing:
            self.changing = self.steps_unit.load()(self)
        try:
            await getattr(self.changing, verb)(error)
        finally:
            if self.single or not self.steps:
                self.changing = None
                self.steps_unit.drop()

    async def connect_mqtt(self):
        """Connect over MQTT. Return the LinkError if that fails, else None."""
        unit = Unit(_connecting, self.clock.sleep_ms)
        try:
            if self.single:
                await self.unload_polling()
            await unit.load()(self).connect()
        except LinkError as e:
            return e
        finally:
            unit.drop()

    async def connect_https(self):
        """Get a token and an HTTPS connection for the next step. Return the LinkError if that fails, else None."""
        try:
            http = await self.polling.load()
            await http.have_token()
            await http.connected()
        except LinkError as e:
            return e
        self.dialed = True

    def use_mqtt(self):
        """Make MQTT the transport."""
        account = self.account
        self.session.route(self.topics)
        self.lease.session = self.limit
        if not account.on_mqtt:
            account.on_mqtt = True
            self.since = Timer(self.clock.ms(), _STEADY_MS)
            account.log("info", "on MQTT")

    def unload_mqtt(self):
        """Close and unload the MQTT half. Wait for its memory before loading anything else. Never raises."""
        session, self.session = self.session, None
        if session:
            session.close()
            self.kept = session.kept
            self.mqtt_unit.drop()

    async def load_polling(self, anyway=False):
        """Return Polling, loaded if necessary. LinkError: the memory of an unloaded half is not free again. With
        `anyway` it is loaded all the same."""
        if not self.polling:
            for unit in (self.mqtt_unit, self.polling_unit):
                if not (await unit.gone() or anyway):
                    raise self.account.net.not_freed()
            self.polling = self.polling_unit.load()(self.account)
        return self.polling

    async def unload_polling(self):
        """Close and unload the HTTPS half and Polling. LinkError: their memory is not free again."""
        polling, self.polling = self.polling, None
        if polling:
            polling.unload()
            gone = await polling.unit.gone()
            polling = None
            self.polling_unit.drop()
            if not (gone and await self.polling_unit.gone()):
                raise self.account.net.not_freed()

    def due(self, now):
        """Return whether what MQTT needs is due for renewal, or MQTT is to be tried again."""
        if self.account.on_mqtt:
            return self.renewal.passed(now) or self.lease.renewal.passed(now)
        return self.auto and self.probe and self.probe.passed(now)

    def idle_ms(self, now):
        """Return the ms until the next step is due, at most 20 s."""
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
