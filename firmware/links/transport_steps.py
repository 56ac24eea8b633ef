"""The steps by which a link changes between MQTT and HTTPS. In memory only during a change.

The state is that of `Transports`, which stays. With memory for two TLS connections, the session continues during a
change; otherwise it is closed first, and the broker keeps it. Source: docs/protocol.md, MQTT catalog, MQTT credentials,
and its assumptions 12 to 15.
"""

from micropython import const

from firmware.core import outcomes
from firmware.core.errors import AuthError, LinkError
from firmware.core.timing import Timer
from firmware.core.transport_choice import TransportChoice
from firmware.links.room import check_room
from units.loader import Unit

_CATALOG = const(5000)
_ROW = const(1600)
"""Bytes of heap that it takes to read the MQTT catalog: the code, and for each row the text, the parsed route and the
previous one."""
_SOON_MS = const(600000)  # a token that is due within this time is renewed together with the credentials


class TransportSteps:
    """`link`: a Transports. A step returns True if it must be called again."""

    def __init__(self, link):
        self.link = link
        self.account = link.account
        self.clock = link.clock
        self.choice = TransportChoice(link.auto, link.clock.ms(), link.choice)

    # -- the verbs of Transports --

    async def open(self, _):
        """Begin to open the link: over MQTT, or in `auto` by polling if MQTT has failed too often. With one connection
        at a time, return before a step that needs a connection. LinkError."""
        link = self.link
        now = self.clock.ms()
        lasted, link.session_lasted = link.session_lasted, None
        if lasted:
            self.choice.steady()
        elif lasted is False and link.auto:
            self.failures("poll_instead", LinkError("the session did not last"))
        link.opening, link.retried, link.caught_up = True, False, False
        link.polled = link.lease.held
        if not link.polled:
            # None of it is valid any more, and the next steps need the memory.
            link.catalog_read = link.mqtt_catalog = link.credentials = None
            link.topics = {}
        try:
            if not self.account.realino and self.choice.tries_mqtt(now):
                self.choice.misses += 1
                link.reuses_credentials = (
                    link.credentials
                    and self.account.catalog
                    and not (link.refused or link.renewal.passed(now))
                    and not (link.single and (not link.lease.held or link.lease.renewal.passed(now)))
                )
                link.steps = ["begin", "begin_change"]
                if link.reuses_credentials:
                    link.steps = ["connect"] if link.single else ["begin", "connect"]
                if await self.attempted():
                    return
            link.polls = True
        finally:
            self.save()

    async def change(self, _):
        """Begin to renew what MQTT needs, or to try MQTT while polling; with one connection at a time. LinkError."""
        link = self.link
        link.opening, link.was_on_mqtt, link.retried = False, self.account.on_mqtt, False
        link.polled, link.caught_up = link.lease.held, False
        now = self.clock.ms()
        if link.lease.renewal.left_ms(now) < _SOON_MS:
            link.lease.renewal = Timer(now)
        await self.go_on(None)

    async def go_on(self, error):
        """Continue a change with the next step. `error`: the LinkError of the last step, or None. LinkError: there is
        no session."""
        link = self.link
        try:
            if link.opening:
                link.polls = not await (self.failures("missed", error) if error else self.attempted())
                return
            try:
                if error:
                    raise error
                await self.run()
            except LinkError as e:
                if link.retried or isinstance(e, AuthError):
                    raise
                self.failures("recover", e)
        finally:
            self.save()

    async def upkeep(self, _):
        """Take the next step during a session, see transport_upkeep. LinkError."""
        unit = Unit(_upkeep, self.clock.sleep_ms)
        try:
            await unit.load()(self)
        finally:
            unit.drop()
            self.save()

    # -- the steps --

    async def begin_change(self):
        """Determine the next steps."""
        link = self.link
        if not self.account.on_mqtt and not self.allowed():
            self.choice.poll_instead(self.clock.ms(), self.account.rng(), True)
            return
        if not link.single:
            link.steps += ["read_catalog", "read_credentials", "connect", "catch_up"]
        elif self.account.on_mqtt:
            # Only two requests, so that the gap without a session is short; a third if the catalog has changed.
            link.steps += ["read_credentials", "catch_up", "connect"]
        else:
            link.steps += ["read_catalog", "read_credentials", "connect"]

    async def begin(self):
        """Have the source determine what the cloud offers. LinkError."""
        await (await self.https()).source.begin()
        if not self.allowed():
            self.choice.refuse()
            raise LinkError("the cloud does not offer MQTT")

    async def read_catalog(self):
        """Read the MQTT catalog. LinkError."""
        link = self.link
        if link.auto and not link.fits:
            # Checked once: later a full outbox may take the memory, and MQTT is a way to empty it.
            check_room(link, _CATALOG + _ROW * len(self.account.cfg["ports"]))
        catalog = self.load_and_call(_catalog, await self.read("mqtt"))
        if not catalog.endpoint:
            raise self.unavailable(
                await self.https(), outcomes.NOT_FOUND, "MQTT is not available for this device"
            )
        if catalog.notes != link.notes:
            link.notes = catalog.notes
            for note in catalog.notes:
                self.account.log("warning", note)
        link.catalog_read = catalog
        link.fits = True

    async def read_credentials(self):
        """Request credentials for the MQTT catalog. LinkError."""
        link = self.link
        asked = self.clock.ms()
        catalog = link.catalog_read
        link.credentials = self.load_and_call(_credentials, await self.read(catalog.endpoint, catalog.body))
        link.mqtt_catalog = catalog
        link.renewal = Timer(asked, link.credentials.renew_s * 1000)
        link.limit = Timer(asked, link.credentials.expires_s * 1000)
        if link.single:
            link.lease.session = link.limit  # the old session was closed before

    async def connect(self):
        """Connect beside the HTTPS connection, see transport_upkeep. With one connection at a time, Transports does
        that. LinkError."""
        unit = Unit(_connect, self.clock.sleep_ms)
        try:
            await unit.load()(self)
        finally:
            unit.drop()

    async def catch_up(self):
        """Poll the desired values once, because messages that were published meanwhile may be lost. Return True if the
        rate limit allows no request yet. LinkError."""
        link = self.link
        account = self.account
        account.feed()
        http = await self.https()
        catalog = account.catalog
        account.desired = await http.source.poll()
        if account.desired is None:
            return True
        if link.single and account.on_mqtt and catalog is not account.catalog:
            await self.read_catalog()
            link.mqtt_catalog = link.catalog_read
        link.polled = True
        # What was read before a session was lost says nothing about what was lost with it.
        link.caught_up = link.session_lost
        link.session_lost = False
        self.map_topics()
        if not link.single:
            link.use_mqtt()

    # -- parts of the steps --

    async def refused_all(self, _):
        """Record that polling was refused too, so the refusal does not concern MQTT alone."""
        self.choice.misses = 0
        self.account.no_scopes = False
        self.save()

    async def attempted(self):
        """Take the steps of `open`. Return whether MQTT is the transport now or `connect` is next; False: poll.
        LinkError."""
        link = self.link
        try:
            await self.run()
        except LinkError as e:
            return await self.failures("missed", e)
        if not link.single:
            if link.reuses_credentials:
                # The catalog is known. Missed desired values are read once the rate limit allows it.
                link.steps = ["catch_up"]
            else:
                link.polling.close()
        return True

    def failures(self, verb, error):
        """Return the result of a verb of TransportFailures for `error`. It may raise LinkError."""
        return getattr(self.load_and_call(_failures, self), verb)(error)

    async def run(self):
        """Take the steps in order; with one connection at a time, only up to one that needs a connection. LinkError."""
        link = self.link
        steps = link.steps
        while steps:
            step = steps[0]
            if link.single:
                http = link.polling.http
                connected = link.dialed or (http and http.client.stream)
                if step == "connect" or not (connected or step == "begin_change"):
                    return
                link.dialed = False
            if await getattr(self, step)():
                self.account.feed()
            else:
                steps.pop(0)

    async def https(self):
        """Return the HTTPS half, loaded if necessary. LinkError."""
        return await self.link.polling.load()

    async def read(self, what, text=""):
        """Return the JSON of a response over HTTPS. LinkError. A refusal ends the authorization (AuthError), except in
        `auto`: there it may concern MQTT alone, so that polling continues."""
        http = await self.https()
        # First, so that logging in and dialing are unloaded before the request takes memory.
        await http.have_token()
        await http.connected()
        outcome, body, message = await http.exchange(what, text, not self.link.auto)
        self.account.feed()
        if outcome == outcomes.RATE_LIMITED:
            raise LinkError(message)
        if outcome != outcomes.OK:
            raise self.unavailable(http, outcome, message)
        return body

    def unavailable(self, http, outcome, message):
        """Return the error to raise. The next attempt is late, because an early one would fail too."""
        self.choice.refuse()
        return LinkError(message) if self.link.auto else http.refused(outcome, message)

    def load_and_call(self, importing, *args):
        """Load a function by `importing()`, call it, unload it and return its result."""
        unit = Unit(importing, self.clock.sleep_ms)
        try:
            return unit.load()(*args)
        finally:
            unit.drop()

    def map_topics(self):
        """Determine which commands and sensors have a route."""
        account = self.account
        routes = self.link.mqtt_catalog.routes
        account.catalog, self.link.topics = self.load_and_call(_mapped, account.catalog, routes)

    def save(self):
        """Store the state for a later TransportSteps in the link."""
        link = self.link
        link.choice = self.choice.state()
        link.probe = None if self.choice.excluded else self.choice.probe

    def allowed(self):
        return "mqtt" in self.account.protocols and not self.account.realino


def _catalog():
    from firmware.cloud.mqtt_catalog import catalog

    return catalog


def _credentials():
    from firmware.cloud.mqtt_credentials import credentials

    return credentials


def _mapped():
    from firmware.cloud.mqtt_topics import mapped

    return mapped


def _upkeep():
    from firmware.links.transport_upkeep import upkeep

    return upkeep


def _connect():
    from firmware.links.transport_upkeep import connect

    return connect


def _failures():
    from firmware.links.transport_failures import TransportFailures

    return TransportFailures
