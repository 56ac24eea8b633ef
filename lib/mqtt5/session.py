"""The client's side of MQTT, without a clock or a socket (MQTT 5.0 section 4).

It keeps what was received and is not acknowledged yet, keep-alive, topic aliases, and the DISCONNECT. More messages at
once than a small window are an error, and so are packets larger than its buffer, except messages. A message that is
too large is delivered without its payload: ending the connection would not help, because the server would send it
again. A message whose PUBACK may have been lost is delivered again, marked `dup`.

Use: put bytes into `space()`, call `received(n)`, ask `next(now)` until it returns None, send what `take(now)` returns.
All moments are milliseconds that wrap at 2**30.

How it works: `TRANSITIONS` says what may happen in which state. An event is a packet that arrives, or one of our own:
BEGIN, `opening.begin` queues CONNECT; ACCEPT, `opening.accept` has checked the properties of CONNACK; REQUEST, the
application publishes or subscribes; FINISH, a DISCONNECT is queued; LOST, the stream is gone. `after` looks up the next
state. An illegal event raises and changes nothing; where a packet was illegal, `next` has FINISH follow. While the
state is CLOSING, packets still count: the answer to a publish may be among them.
"""

from micropython import const

from mqtt5 import codes, encode, packet, parts
from mqtt5.in_flight import InFlightTable
from mqtt5.packet import MqttError
from netio.errors import NetError

CLOSED = const(0)
CONNECTING = const(1)
OPEN = const(2)
CLOSING = const(3)

TRANSITIONS = (
    b"----"  # 0: no packet has this type
    b"----"  # CONNECT, which a server never sends
    b"-1--"  # CONNACK
    b"--23"  # PUBLISH
    b"--23"  # PUBACK
    b"------------"  # 5 to 7: QoS 2
    b"----"  # SUBSCRIBE
    b"--23"  # SUBACK
    b"--------"  # UNSUBSCRIBE, UNSUBACK
    b"----"  # PINGREQ
    b"--23"  # PINGRESP
    b"--33"  # DISCONNECT
    b"----"  # AUTH
    b"1---"  # BEGIN
    b"-2--"  # ACCEPT
    b"--2-"  # REQUEST
    b"0133"  # FINISH
    b"0000"  # LOST
)
"""For each event the state after it, by the state before it; "-": illegal."""

_MOST = const(16)  # publishes and subscribes of ours waiting for an answer: each costs memory
_ENOUGH = const(256)  # bytes to be sent, for all of them are one piece of memory
_MASK = const(0x3FFFFFFF)
_LIVE = const(1)  # sent in this connection, so it takes an answer
_FINISHED = const(2)  # acknowledged when the server sends it again
_IDLE_MS = const(60000)


class Session:
    """`state`: CLOSED, CONNECTING, OPEN or CLOSING; `error`: why it is not OPEN, else None. `view`: see Client. Each
    connection begins with `opening.begin` and `opening.accept`, which set what belongs to it."""

    error_class = MqttError
    """What `opening` raises when the server breaks the rules."""

    def __init__(self, view=None):
        self.view = view or memoryview(bytearray(2048))
        self.start = self.end = self.skipped = self.version = self.last_sent = self.last_received = 0
        self.largest = self.max_qos = self.keep_ms = self.connections = 0
        self.pinged = self.clean = self.requested = None
        self.aliases = {}
        self.state = CLOSED
        self.in_flight = InFlightTable()
        self.out = bytearray()
        self.error = NetError("closed", "not connected")
        # By packet id of messages that the application has not finished, or the server does not know to be: in which
        # connection they came, times 4, and _LIVE and _FINISHED. A number, for there may be forty.
        self.held = {}

    def after(self, event):
        """The state after `event`, see TRANSITIONS. MqttError: it is illegal in this one."""
        state = TRANSITIONS[event * 4 + self.state] - 48
        if state < 0:
            raise MqttError(codes.PROTOCOL_ERROR)
        return state

    def lose(self):
        """The application has lost what it has not finished: a kept session brings it again after this connection."""
        self.held = {pid: state for pid, state in self.held.items() if state & _FINISHED}

    def take(self, now):
        """Bytes to be sent, all at once; empty when there are none."""
        out, self.out = self.out, bytearray()
        if out:
            self.last_sent = now
        return out

    def space(self):
        """Where to put received bytes."""
        return self.view[self.end :]

    def received(self, size):
        self.end += size

    def next(self, now):
        """What happened: a Message, an InFlight that is over, or None when more bytes are needed. First of all
        (session present, properties) of the CONNACK, for `opening.accept`.

        MqttError: the connection is over. What is to be sent to the server about it waits in `take`.
        """
        view = self.view
        room = len(view)
        try:
            while True:
                at = self.start
                found = packet.frame(view, at, self.end)
                if not found:
                    break
                start, end = found
                large = 0
                if end - at > room:
                    large = end - at
                    if view[at] >> 4 != codes.PUBLISH or self.state == CONNECTING:
                        raise MqttError(codes.PACKET_TOO_LARGE)
                    self.last_received = now
                    if self.pinged is not None:
                        self.pinged = now  # the answer cannot come before the rest
                end -= self.skipped
                if end > self.end:
                    if self.end - at == room:
                        # Only its beginning stays, as much in whatever pieces it comes.
                        self.end = room // 2
                        self.skipped += room - self.end
                    break
                self.start = end
                self.skipped = 0
                event = self._event(now, view[at], view[start : room // 2 if large else end], large)
                if event:
                    return event
        except MqttError as e:
            self.finish(e, e.code)
            raise
        self.end -= at
        view[: self.end] = view[at : at + self.end]
        self.start = 0

    def _event(self, now, first, body, large):
        what, number, properties = packet.decode(self.version, first, body, large)
        kind = first >> 4
        self.last_received = now
        self.state = self.after(kind)
        if kind == codes.PUBLISH:
            if properties is None:
                self.aliases = properties = {}  # any alias may be new
            return self._message(first, what, number, properties.get(codes.TOPIC_ALIAS))
        if kind in (codes.PUBACK, codes.SUBACK):
            entry = self.in_flight.answer(
                kind == codes.PUBACK, number, what, properties.get(codes.REASON_STRING)
            )
            self.out += self.in_flight.due()
            return entry
        if number or kind == codes.DISCONNECT:
            e = MqttError(number, properties.get(codes.REASON_STRING))
            self.error = e  # so nothing is sent after the server's DISCONNECT
            self.out = bytearray()
            raise e
        if kind == codes.CONNACK:
            return what, properties
        self.pinged = None

    def _message(self, first, message, pid, alias):
        if alias is not None:
            if not 0 < alias <= parts.ALIASES:
                raise MqttError(codes.TOPIC_ALIAS_INVALID)
            message.topic = self.aliases[alias] = message.topic or self.aliases.get(alias)
        if not message.topic:
            raise MqttError(codes.PROTOCOL_ERROR)
        known = self.held.get(pid, 0)
        if known and first & codes.DUP:
            self.held[pid] = known | _LIVE
            if known & _FINISHED:
                self.done(known >> 2 << 16 | pid)
            return None
        if known & _LIVE:
            raise MqttError(codes.PROTOCOL_ERROR)
        if pid:
            if (
                self.version == 5 and self.owed() >= 12 * parts.WINDOW
            ):  # mosquitto counts no more what has expired
                raise MqttError(codes.RECEIVE_MAXIMUM_EXCEEDED)
            self.held[pid] = self.connections << 2 | _LIVE
            message.receipt |= self.connections << 16
        return message

    def owed(self):
        """How many messages with QoS 1 of this connection the application has not finished."""
        owed = 0
        for state in self.held.values():  # no list of them, asked for so often
            owed += state & _LIVE
        return owed

    def done(self, receipt):
        """The application has handled that Message: acknowledge it, if that is still possible and needed."""
        pid = receipt & 0xFFFF
        known = self.held.get(pid, 0)
        if not known or known >> 2 != receipt >> 16:
            return
        if known & _LIVE and self.state == OPEN:
            self.held.pop(pid)
            self.held = self.held or {}  # the table of one that had many entries stays large
            self.out += parts.packet(codes.PUBACK << 4, pid.to_bytes(2, "big"))
        else:
            self.held[pid] = known | _FINISHED

    def full(self):
        """True while nothing should be added: too much waits for an answer or to be sent."""
        return len(self.in_flight.all) >= _MOST or len(self.out) >= _ENOUGH

    def publish(self, topic, payload, expiry_s=None, qos=1):
        """The InFlight of a QoS 1 publish, None for QoS 0. MqttError: the server announced that it would refuse
        it."""
        if qos > self.max_qos:
            raise MqttError(codes.QOS_NOT_SUPPORTED)
        pid = self.in_flight.new_pid() if qos else 0
        data = self.allowed(encode.publish(self.version, pid, topic, payload, expiry_s))
        if not qos:
            self.out += data
            return None
        entry = self.in_flight.add(pid, data)
        self.out += self.in_flight.due()
        return entry

    def allowed(self, data):
        """`data`, a packet for the server. MqttError: not in this state, or the server takes none as large."""
        self.after(codes.REQUEST)
        if len(data) > self.largest:
            raise MqttError(codes.PACKET_TOO_LARGE)
        return data

    def tick(self, now, backpressure=False):
        """Ping when it is time; milliseconds until this wants to be called again. NetError "timeout": the peer is dead.

        A ping goes out after 3/4 of a keep-alive in which nothing was received or nothing sent, and has to be
        answered within half of one. `backpressure`: nothing is read at the moment, so nothing follows from silence.
        """
        if not self.keep_ms or self.state != OPEN:
            return _IDLE_MS
        if backpressure:
            self.last_received = now
            self.pinged = None
        if self.pinged is not None:
            left = self.keep_ms // 2 - (now - self.pinged & _MASK)
            if left <= 0:
                raise NetError("timeout", "keep-alive")
            return left
        idle = max(now - self.last_sent & _MASK, now - self.last_received & _MASK)
        left = self.keep_ms * 3 // 4 - idle
        if left <= 0:
            self.out += parts.packet(codes.PINGREQ << 4, b"")
            self.pinged = None if backpressure else now
            left = self.keep_ms // 2
        return left

    def finish(self, error, code=0):
        """Queue a DISCONNECT with reason `code`; from now on `error` is the reason why there is no connection. Again:
        no effect."""
        if self.state == OPEN:
            self.error = error
            # In 3.1.1 it could only mean that all is well, and would suppress the will.
            if self.version == 5 or not code:
                self.out += encode.disconnect(code)
        self.state = self.after(codes.FINISH)

    def lost(self, error):
        """The connection is gone. Returns the unanswered entries; those of a kept session will be sent again."""
        self.state = self.after(codes.LOST)
        self.error = self.error or error
        self.out = bytearray()
        return self.in_flight.lost(self.error)
