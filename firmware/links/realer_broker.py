"""The held MQTT session of a Realer device: its subscriptions, what it hears, reports until they are acknowledged.

Owns which topic is whose, and every report between its publish and the application's acknowledgement. PUBACK means
nothing here: only the cloud's own word takes a report out of the outbox (Realer API, section 6.3). Refuses HTTPS,
tuples and time of day; only LinkError escapes.
"""

import asyncio
from micropython import const

from firmware.cloud import realer_mqtt as words
from firmware.core import verdict as v
from firmware.core.errors import LinkError
from firmware.core.timing import Backoff, Timer
from mqtt5.client import Client
from mqtt5.packet import MqttError
from netio.errors import NetError

_KEEP_ALIVE_S = const(30)
_KEPT_S = const(
    60
)  # how long the broker holds messages for us across a reconnect: no wish gets older than that unseen
_SUBSCRIBE_MS = const(15000)
_ACK_MS = const(10000)
_MOST = const(8)  # reports under way at once
_DEAF = const(3)  # rounds without one acknowledgement after which the session is worth nothing


class Broker:
    """`dialer`, `clock`: the seams; `rng()`: 32 random bits; `say(level, text)`: the log."""

    def __init__(self, dialer, clock, rng, say):
        self.dialer = dialer
        self.clock = clock
        self.rng = rng
        self.say = say
        self.client = None
        self.kept = False  # the broker may be asked to go on with the session
        self.routes = {}
        self.wishes = {}  # topic: command id; whoever knows the catalog sets it
        self.heard = []  # pairs (Message, Desired or None), the application has not seen them yet
        self.given = []  # Messages the application has seen, not acknowledged yet
        self.answers = {}  # by message_id of what was published: (verdict, words), None until the cloud has answered
        self.patience = Backoff(2000, 60000)
        self.hold = Timer(clock.ms())
        self.unanswered = 0

    async def connect(self, offer, credential):
        """Be connected and subscribed: acknowledgements first, then wishes. LinkError; `refused` tells whether the
        broker did not take the tuple or a topic: either may be out of date."""
        again = self.client is not None and (self.client.host, self.client.port) == (offer.host, offer.port)
        if self.client and not again:
            self.close()
        if not again:
            self.client = Client(self.dialer, self.clock, offer.host, offer.port)
            self.kept = False
        self.acks = offer.acks
        self.routes = offer.routes
        self.unanswered = 0
        client = self.client
        try:
            await client.connect(
                credential.client_id,
                credential.username,
                credential.password.reveal(),
                _KEEP_ALIVE_S,
                offer.version,
                # Only who still knows what was under way may ask the broker to go on with it.
                not self.kept or offer.version < 5,
                _KEPT_S,
            )
            await self.clock.within(_SUBSCRIBE_MS, self.subscribe(offer))
            self.kept = True
        except (NetError, MqttError, asyncio.TimeoutError) as e:
            self.refused = isinstance(e, MqttError)
            self.close()
            self.kept = self.kept and isinstance(e, NetError)  # else the session itself may have led here
            raise LinkError("MQTT: %s" % (e if e.args else "no answer to SUBSCRIBE"))

    async def subscribe(self, offer):
        await self.client.subscribe([offer.acks])
        wishes = [route.desired for route in offer.routes.values() if route.desired]
        if wishes:
            await self.client.subscribe(wishes)

    async def listen(self, wait_ms):
        """Desired values that came, after waiting at most so long: [] when there was only a sign of life, None when not
        even that."""
        client = self.client
        given, self.given = self.given, []
        for message in given:
            client.done(message)
        before = client.session.heard
        await self.until(self.any_heard, wait_ms)
        heard, self.heard = self.heard, []
        self.given = [message for message, _ in heard]
        wanted = [desired for _, desired in heard]
        return wanted if wanted or client.session.heard != before else None

    async def send(self, reports):
        """Publish some of `reports` and wait for their acknowledgements: (message_id, verdict) of those that are over.

        What the cloud wants later, or did not answer, waits for another turn behind the others.
        """
        ids = [r.message_id for r in reports]
        self.answers = {name: found for name, found in self.answers.items() if name in ids}
        # Behind what waits nothing of the same source may overtake it: the last word would be an old one.
        waiting = [r[1:3] for r in reports if r.message_id in self.answers]
        batch = [r for r in reports if r[1:3] not in waiting][:_MOST]
        if not batch:
            await self.until(self.any_answer, self.hold.left_ms(self.clock.ms()))
            batch = [] if self.any_answer() else reports[:_MOST]
        orders = []
        for report in batch:
            orders.append(await self.publish(report))  # noqa: PERF401 - MicroPython awaits in no comprehension
        await self.until(lambda: self.answered(batch, orders), _ACK_MS)
        heard = self.any_answer()
        done = [found for found in map(self.outcome, reports) if found]
        if done:
            self.patience.reset()
        else:
            self.hold = Timer(self.clock.ms(), self.patience.next_ms(self.rng()))
        self.unanswered = 0 if heard else self.unanswered + 1
        if self.unanswered >= _DEAF:
            raise LinkError("MQTT: no acknowledgements")
        return done

    async def disconnect(self):
        """End the session in order, to begin another one at once: what was heard and not handed over yet stays."""
        await self.client.disconnect()

    def close(self, abandon=False):
        """Drop the connection. Never raises. `abandon`: all tasks are dead already."""
        client = self.client
        if client:
            (client.abandon if abandon else client.close)()
            # Whatever is neither finished nor lost would take its place in the broker's window for ever.
            for message in self.given:
                client.done(message)
            for message, _ in self.heard:
                client.forget(message)
        self.heard = []
        self.given = []

    # -- the steps --

    async def publish(self, report):
        route = self.routes.get((report.source, str(report.id)))
        if not route:
            self.answers[report.message_id] = v.DROP, "no MQTT route leads there any more"
            return None
        self.answers[report.message_id] = None
        try:
            return await self.client.post(route.feed, words.publish(report))
        except (NetError, MqttError) as e:
            raise LinkError("MQTT: %s" % e)

    def answered(self, batch, orders):
        self.sort()
        # A publish that the broker itself refused is not acknowledged by anybody.
        waiting = [r for r, order in zip(batch, orders) if not (self.answers[r.message_id] or order.error)]
        return not waiting

    def any_answer(self):
        self.sort()
        return any(self.answers.values())

    def outcome(self, report):
        """(message_id, verdict) when it is over with `report`."""
        name = report.message_id
        found, why = self.answers.get(name) or (None, "")
        if found is None:
            return None
        if found == v.RETRY:
            self.answers[name] = None
        else:
            self.answers.pop(name)
        if found != v.OK:
            self.say("warning", "%s %s not accepted: %s" % (report.source, report.id, why))
        return None if found == v.RETRY else (name, found)

    async def until(self, holds, wait_ms):
        """Wait until `holds()`, at most so long. LinkError: the session is over."""
        try:
            await self.clock.within(wait_ms, self.client.until(holds))
        except asyncio.TimeoutError:
            pass
        except (NetError, MqttError) as e:
            raise LinkError("MQTT: %s" % e)

    def any_heard(self):
        self.sort()
        return self.heard

    def sort(self):
        """Deal with every message that came."""
        client = self.client
        while client.inbox:
            message = client.take()
            desired = None
            try:
                if message.topic == self.acks:
                    self.acknowledged(*words.acknowledgement(message.payload))
                elif message.topic in self.wishes:
                    desired = words.desired(self.wishes[message.topic], message.payload)
                else:
                    raise ValueError("unknown topic")
            except ValueError as e:
                self.say("warning", "MQTT message on %s ignored: %s" % (message.topic[-60:], e))
            if desired:
                self.heard.append((message, desired))
            else:
                client.done(message)

    def acknowledged(self, message_id, found, why):
        if message_id in self.answers and not self.answers[message_id]:
            self.answers[message_id] = found, why
