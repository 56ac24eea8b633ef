"""The MQTT session of a Realer device: subscriptions, desired values, reports until they are acknowledged.

Half of a link (docs/ARCHITECTURE.md, "Halves of a link"): in memory while the device is on MQTT. PUBACK means nothing
here: only the cloud's own acknowledgement takes a report out of the outbox. Only LinkError escapes. Source:
docs/protocol.md, MQTT session.
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
_AT_ONCE = const(8)  # desired values handed over, for the answer to each takes as much heap as itself
_WAITING = const(16)  # desired values that wait, beyond which only the latest of each command do
_MOST = const(4)  # reports under way at once
_UNANSWERED = const(3)  # rounds without one acknowledgement after which the session is given up


class MqttSession:
    """`account`: see Account; `view`: buffer for received packets, None for one of its own. Connected by
    `mqtt_connecting`. `present`: the broker went on with an earlier session, so nothing was missed; `refused`: the
    broker did not take the credentials or a topic, or reports are not acknowledged: either may be out of date."""

    refusal = MqttError
    """What a refusal of the broker is raised as."""

    def __init__(self, account, kept, view=None):
        self.account = account
        self.view = view
        self.clock = clock = account.clock
        self.client = None
        self.kept = kept  # the broker may be asked to go on with the session
        self.present = self.refused = False
        self.acks = ""
        self.routes = {}
        self.topics = None  # {desired topic: command id}, None: not known yet
        self.arrived = []  # when each message came that waits in the client's inbox
        self.received = []  # (receipt, when it came, *Desired): the application has not seen them yet
        self.unacknowledged = []  # receipts of those it has seen
        self.answers = {}  # by message_id of what was published: (outcome, message), None until the cloud has answered
        self.backoff = Backoff(2000, 60000)
        self.hold = Timer(clock.ms())
        self.silent_rounds = 0

    def new_client(self, host, port):
        """Go on with another broker, or the first one."""
        if self.client:
            self.close()
            self.kept = False
        self.client = Client(self.account.net, self.clock, host, port, self.view)
        self.client.deliver = self.deliver

    def route(self, topics):
        """Know the topics from now on, also of what has come already."""
        self.topics = topics
        client = self.client
        while client.inbox:
            self.deliver(client.take(), self.arrived.pop(0))

    async def listen(self, wait_ms):
        """Some of the desired values that came, after waiting at most so long: [] when only other packets came, None
        when none came."""
        self.acknowledge()
        session = self.client.session
        before = session.last_received
        await self.until(lambda: self.received, wait_ms)
        received, self.received = self.received[:_AT_ONCE], self.received[_AT_ONCE:]
        self.unacknowledged = [each[0] for each in received]
        desired = [_aged(self.clock.since(each[1]) // 1000, *each[2:]) for each in received]
        return desired if desired or session.last_received != before else None

    async def send(self, reports):
        """Publish some of `reports` and wait for their acknowledgements: (message_id, outcome) of those that are over.

        What the cloud wants later, or did not answer, waits for another turn behind the others.
        """
        # What was returned before is handled: reports are sent after that.
        self.acknowledge()
        ids = [r.message_id for r in reports]
        self.answers = {name: found for name, found in self.answers.items() if name in ids}
        # Behind what waits nothing of the same source may overtake it: the last word would be an old one.
        waiting = [r[1:3] for r in reports if r.message_id in self.answers]
        # A broker that acknowledges nothing gets no more: each publish takes half a kilobyte until it does.
        room = max(_MOST - len(self.client.session.in_flight.all), 0)
        batch = [r for r in reports if r[1:3] not in waiting][:room]
        if not batch:
            await self.until(self.any_answer, self.hold.left_ms(self.clock.ms()))
            batch = [] if self.any_answer() else reports[:room]
        published = []
        for report in batch:
            published.append((report, await self.publish(report)))  # noqa: PERF401 - MicroPython awaits in no comprehension
        # A publish that the broker itself refused is not acknowledged by anybody.
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
        """End the connection in order, to begin another one soon: what was received and not handed over comes again."""
        if self.client:
            self.acknowledge()
            await self.client.disconnect()
            self.close()

    def close(self, abandon=False):
        """Drop the connection. Never raises. `abandon`: all tasks are dead already."""
        client = self.client
        if client:
            (client.abandon if abandon else client.close)()
            # Whatever is neither finished nor lost would take its place in the broker's window for ever.
            self.acknowledge()
            client.lose()
        self.received = []
        self.arrived = []

    # -- the steps --

    def acknowledge(self):
        """The application has handled what `listen` returned."""
        for receipt in self.unacknowledged:
            self.client.done(receipt)
        self.unacknowledged = []

    async def publish(self, report):
        route = self.routes.get((report.source, str(report.id)))
        if not route:
            self.answers[report.message_id] = outcomes.DROP, "no MQTT route leads there any more"
            return None
        self.answers[report.message_id] = None
        try:
            return await self.client.post(route.feed, messages.publish(report))
        except (NetError, MqttError) as e:
            raise LinkError("MQTT: %s" % e)

    def any_answer(self):
        return any(self.answers.values())

    def outcome(self, report):
        """(message_id, outcome) when it is over with `report`."""
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
        """Wait until `holds()`, at most so long. LinkError: the session is over."""
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
        """Deal with a message as it comes: understood, it takes a third of the heap, and many may wait. `at`: when it
        came, if that was before its topic was known."""
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
            # One tuple, not one in another: many may wait after an outage.
            at = self.clock.ms() if at is None else at
            self.received.append((message.receipt, at) + tuple(desired))
            if len(self.received) > _WAITING:
                self.drop_replaced()
        else:
            self.client.done(message.receipt)

    def drop_replaced(self):
        """Drop the oldest desired value that a newer one replaced before anybody has seen it: the acknowledgements that
        the application waits for come behind all of them, and none comes while too many wait."""
        received = self.received
        for i, (receipt, _, command_id, _, _, sequence, _) in enumerate(received):
            for later in received[i + 1 :]:
                if later[2] == command_id and None not in (sequence, later[5]) and later[5] > sequence:
                    received.pop(i)
                    self.client.done(receipt)
                    return


def _aged(waited_s, *fields):
    """The Desired of `fields` with what is left of its window, which began when the message came: other requests to the
    cloud may have been waited for meanwhile."""
    valid_s = fields[-1]
    return Desired(*fields[:-1], max(valid_s - waited_s, 0) if valid_s else valid_s)
