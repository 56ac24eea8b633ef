"""The MQTT session of a Realer device: subscriptions, desired values, reports until they are acknowledged.

One half of a link (docs/ARCHITECTURE.md, "Halves of a link"): in memory while the device is on MQTT. A report is
answered only by the cloud's own acknowledgement, not by PUBACK. Only LinkError is raised. Source: docs/protocol.md,
MQTT session.
"""

import asyncio
from micropython import const

from firmware.cloud import mqtt_messages as messages
from firmware.core import outcomes
from firmware.core.errors import LinkError
from firmware.core.models import Desired
from firmware.core.timing import Backoff, Timer
from mqtt5.client import Client
from mqtt5.packet import MqttError
from netio.errors import NetError

_ACK_MS = const(10000)
_AT_ONCE = const(8)  # desired values returned at once, because the report of each takes as much heap again
_WAITING = const(16)  # desired values that may wait before replaced ones are dropped
_MOST = const(4)  # published reports without PUBACK
_UNANSWERED = const(3)  # rounds without any acknowledgement before the session is given up


class MqttSession:
    """`account`: see Account. `kept`: the broker may still have a session of this device, which may be resumed. `view`:
    buffer for received packets, None for one of its own. `mqtt_connecting` connects it.

    `present`: the broker resumed an earlier session, so nothing was missed. `refused`: the broker refused the
    credentials or a topic, or the cloud does not acknowledge reports, so credentials or catalog may be out of date."""

    refusal = MqttError
    """The exception for a refusal by the broker."""

    def __init__(self, account, kept, view=None):
        self.account = account
        self.view = view
        self.clock = clock = account.clock
        self.client = None
        self.kept = kept
        self.present = self.refused = False
        self.acks = ""
        self.routes = {}
        self.topics = None  # {desired topic: command id}; None: not known yet
        self.arrived = []  # the time of arrival of each message in the client's inbox
        self.received = []  # (receipt, time of arrival, *Desired), not returned yet
        self.unacknowledged = []  # receipts of those returned last
        self.answers = {}  # {message_id of a published report: (outcome, text), None until the cloud has answered}
        self.backoff = Backoff(2000, 60000)
        self.hold = Timer(clock.ms())
        self.silent_rounds = 0

    def new_client(self, host, port):
        """Use this broker from now on. An earlier connection is closed."""
        if self.client:
            self.close()
            self.kept = False
        self.client = Client(self.account.net, self.clock, host, port, self.view)
        self.client.deliver = self.deliver

    def route(self, topics):
        """Set the topics of desired values, and handle the messages that arrived before."""
        self.topics = topics
        client = self.client
        while client.inbox:
            self.deliver(client.take(), self.arrived.pop(0))

    async def listen(self, wait_ms):
        """Wait at most `wait_ms` for desired values and return up to eight of them; [] if only other packets arrived,
        None if nothing arrived. LinkError."""
        self.acknowledge()
        session = self.client.session
        before = session.last_received
        await self.until(lambda: self.received, wait_ms)
        received, self.received = self.received[:_AT_ONCE], self.received[_AT_ONCE:]
        self.unacknowledged = [each[0] for each in received]
        desired = [_aged(self.clock.since(each[1]) // 1000, *each[2:]) for each in received]
        return desired if desired or session.last_received != before else None

    async def send(self, reports):
        """Publish some of `reports` and wait for acknowledgements. Return (message_id, outcome) of each that is
        answered. LinkError.

        Those that the cloud wants later, or has not answered, are published again after the others.
        """
        # The application calls this after it has handled what `listen` returned.
        self.acknowledge()
        ids = [r.message_id for r in reports]
        self.answers = {name: found for name, found in self.answers.items() if name in ids}
        # Reports of the same source must not overtake one that waits: the cloud would end up with the older value.
        waiting = [r[1:3] for r in reports if r.message_id in self.answers]
        # Each publish takes half a kilobyte until the broker has sent PUBACK.
        room = max(_MOST - len(self.client.session.in_flight.all), 0)
        batch = [r for r in reports if r[1:3] not in waiting][:room]
        if not batch:
            await self.until(self.any_answer, self.hold.left_ms(self.clock.ms()))
            batch = [] if self.any_answer() else reports[:room]
        published = []
        for report in batch:
            published.append((report, await self.publish(report)))  # noqa: PERF401 - MicroPython awaits in no comprehension
        # If the broker itself refused a publish, no acknowledgement will follow.
        over = lambda: all([self.answers[r.message_id] or entry.error for r, entry in published])  # noqa: E731
        await self.until(over if batch else self.any_answer, _ACK_MS)
        answered = self.any_answer()
        done = [found for found in map(self.outcome, reports) if found]
        if done:
            self.backoff.reset()
        else:
            self.hold = Timer(self.clock.ms(), self.backoff.next_ms(self.account.rng()))
        self.silent_rounds = 0 if answered else self.silent_rounds + 1
        if self.silent_rounds >= _UNANSWERED:
            self.refused = True
            raise LinkError("MQTT: no acknowledgements")
        return done

    async def disconnect(self):
        """Disconnect, to connect again soon. The broker then sends messages again that were received but not
        returned."""
        if self.client:
            self.acknowledge()
            await self.client.disconnect()
            self.close()

    def close(self, abandon=False):
        """Close the connection. Never raises. `abandon`: the event loop was stopped for good."""
        client = self.client
        if client:
            (client.abandon if abandon else client.close)()
            # A message that is neither acknowledged nor forgotten would count against our Receive Maximum for ever.
            self.acknowledge()
            client.lose()
        self.received = []
        self.arrived = []

    # -- the steps --

    def acknowledge(self):
        """Acknowledge what `listen` returned last, because the application has handled it."""
        for receipt in self.unacknowledged:
            self.client.done(receipt)
        self.unacknowledged = []

    async def publish(self, report):
        route = self.routes.get((report.source, str(report.id)))
        if not route:
            self.answers[report.message_id] = outcomes.DROP, "it has no MQTT route any more"
            return None
        self.answers[report.message_id] = None
        try:
            return await self.client.post(route.feed, messages.publish(report))
        except (NetError, MqttError) as e:
            raise LinkError("MQTT: %s" % e)

    def any_answer(self):
        return any(self.answers.values())

    def outcome(self, report):
        """Return (message_id, outcome) if `report` is answered, else None."""
        name = report.message_id
        found, why = self.answers.get(name) or (None, "")
        if found is None:
            return None
        if found != outcomes.OK:
            self.account.log("warning", "%s %s not accepted: %s" % (report.source, report.id, why))
        if found == outcomes.RETRY:
            self.answers[name] = None
            return None
        del self.answers[name]
        return name, found

    async def until(self, holds, wait_ms):
        """Wait until `holds()` is true, at most `wait_ms`. LinkError: the connection has ended."""
        try:
            await self.clock.within(wait_ms, self.client.until(holds))
        except asyncio.TimeoutError:
            pass
        except (NetError, MqttError) as e:
            raise LinkError("MQTT: %s" % self.explain(e))

    def explain(self, error):
        if not error.args:
            return "no answer to SUBSCRIBE"
        return self.account.net.explain(error) if isinstance(error, NetError) else str(error)

    def deliver(self, message, at=None):
        """Parse a message at once: parsed, it takes a third of the heap, and many may wait. `at`: its time of arrival,
        if that was before the topics were known."""
        topic = message.topic
        desired = None
        try:
            if message.large:
                raise ValueError("%d bytes are too many" % message.large)
            if topic == self.acks:
                message_id, found, why = messages.acknowledgement(message.payload)
                if message_id in self.answers and not self.answers[message_id]:
                    self.answers[message_id] = found, why
            elif self.topics is None:
                self.client.inbox.append(message)
                self.arrived.append(self.clock.ms())
                return
            elif topic in self.topics:
                desired = messages.desired(self.topics[topic], message.payload)
            else:
                raise ValueError("unknown topic")
        except ValueError as e:
            self.account.log("warning", "MQTT message on %s ignored: %s" % (topic[-60:], e))
        if desired:
            # A single tuple, not nested ones, to save memory: many may wait after an outage.
            at = self.clock.ms() if at is None else at
            self.received.append((message.receipt, at) + tuple(desired))
            if len(self.received) > _WAITING:
                self.drop_replaced()
        else:
            self.client.done(message.receipt)

    def drop_replaced(self):
        """Drop the oldest waiting desired value that a newer one has replaced. Otherwise reading would stop, and the
        acknowledgements that `send` waits for come after all of these messages."""
        received = self.received
        for i, (receipt, _, command_id, _, _, sequence, _) in enumerate(received):
            for later in received[i + 1 :]:
                if later[2] == command_id and None not in (sequence, later[5]) and later[5] > sequence:
                    received.pop(i)
                    self.client.done(receipt)
                    return


def _aged(waited_s, *fields):
    """Return the Desired of `fields` with its execution window shortened by the `waited_s` since the message
    arrived."""
    valid_s = fields[-1]
    return Desired(*fields[:-1], max(valid_s - waited_s, 0) if valid_s else valid_s)
