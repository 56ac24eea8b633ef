"""The client's side of MQTT, without a clock or a socket (MQTT 5.0 section 4).

It tracks received messages that are not acknowledged yet, the keep-alive and topic aliases, and sends DISCONNECT.
Exceeding the Receive Maximum is an error, and so is a packet larger than the buffer unless it is a PUBLISH. A message
that is too large is delivered without its payload: ending the connection would not help, because the server would send
it again. A message whose PUBACK may have been lost is delivered again, marked `dup`.

Use: put bytes into `space()`, call `received(n)`, call `next(now)` until it returns None, send what `take(now)`
returns. All times (`now`) are milliseconds that wrap at 2**30.

How it works: `TRANSITIONS` defines which event is legal in which state. An event is a received packet or one of these:
BEGIN, `opening.begin` queues CONNECT; ACCEPT, `opening.accept` has checked the properties of CONNACK; REQUEST, the
application publishes or subscribes; FINISH, a DISCONNECT is queued; LOST, the stream is gone. `after` looks up the next
state. An illegal event raises and changes nothing; after an illegal packet, `next` also calls `finish`. In the state
CLOSING packets are still handled, because the answer to a publish may be among them.
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
"""For each event, the next state by present state (CLOSED, CONNECTING, OPEN, CLOSING); "-": illegal."""

_MOST = const(16)  # unanswered publishes and subscribes of ours: each takes memory
_ENOUGH = const(256)  # queued bytes, which need one contiguous block of memory
_MASK = const(0x3FFFFFFF)
_LIVE = const(1)  # received in this connection, so it can be acknowledged
_FINISHED = const(2)  # the application has handled it: acknowledge it when the server sends it again
_IDLE_MS = const(60000)


class Session:
    """`state`: CLOSED, CONNECTING, OPEN or CLOSING. `error`: why it is not OPEN, else None. `view`: see Client. Each
    connection begins with `opening.begin` and `opening.accept`, which reset the attributes that belong to one."""

    error_class = MqttError
    """The exception that `opening` raises if the server breaks the protocol."""

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
        # Received messages that are not acknowledged yet. Packet id: number of the connection it was received in,
        # shifted left by 2, with _LIVE and _FINISHED. Ints save memory: there may be forty.
        self.held = {}

    def after(self, event):
        """Return the state after `event`, see TRANSITIONS. MqttError: it is illegal in the present state."""
        state = TRANSITIONS[event * 4 + self.state] - 48
        if state < 0:
            raise MqttError(codes.PROTOCOL_ERROR)
        return state

    def lose(self):
        """Forget all messages that `done` was not called for: a persistent session redelivers them after this
        connection."""
        self.held = {pid: state for pid, state in self.held.items() if state & _FINISHED}

    def take(self, now):
        """Return all queued bytes (a bytearray) and clear the queue."""
        out, self.out = self.out, bytearray()
        if out:
            self.last_sent = now
        return out

    def space(self):
        """Return the memoryview to receive into."""
        return self.view[self.end :]

    def received(self, size):
        """Record that `size` bytes were received into `space()`."""
        self.end += size

    def next(self, now):
        """Handle received packets up to the first event and return it: a Message, or an InFlight that is over. None if
        more bytes are needed. The first event of a connection is (session present, properties) for `opening.accept`.

        MqttError: the connection is over. If a DISCONNECT is to be sent, it is queued for `take`.
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
                        self.pinged = now  # PINGRESP can arrive only after the rest of this packet
                end -= self.skipped
                if end > self.end:
                    if self.end - at == room:
                        # Only half a buffer of its beginning is kept; the rest is counted and skipped.
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
            self.error = e  # nothing may be sent after the server's DISCONNECT
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
            ):  # more than WINDOW, because mosquitto does not count messages that have expired
                raise MqttError(codes.RECEIVE_MAXIMUM_EXCEEDED)
            self.held[pid] = self.connections << 2 | _LIVE
            message.receipt |= self.connections << 16
        return message

    def owed(self):
        """Return the number of QoS 1 messages of this connection that are not acknowledged."""
        owed = 0
        for state in self.held.values():  # a loop, not a list: this is called often
            owed += state & _LIVE
        return owed

    def done(self, receipt):
        """Acknowledge the Message with this `receipt`, now or when the server sends it again after a reconnect. A
        receipt that is not known any more is ignored."""
        pid = receipt & 0xFFFF
        known = self.held.get(pid, 0)
        if not known or known >> 2 != receipt >> 16:
            return
        if known & _LIVE and self.state == OPEN:
            self.held.pop(pid)
            self.held = self.held or {}  # a dict does not shrink: replace it once it is empty
            self.out += parts.packet(codes.PUBACK << 4, pid.to_bytes(2, "big"))
        else:
            self.held[pid] = known | _FINISHED

    def full(self):
        """Return whether nothing should be added: 16 publishes and subscribes are unanswered, or 256 bytes queued."""
        return len(self.in_flight.all) >= _MOST or len(self.out) >= _ENOUGH

    def publish(self, topic, payload, expiry_s=None, qos=1):
        """Queue a PUBLISH and return its InFlight, None with QoS 0. MqttError: it exceeds the Maximum QoS or Maximum
        Packet Size that the server announced, or the session is not open."""
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
        """Return the packet `data`. MqttError: not allowed in the present state, or larger than the server accepts."""
        self.after(codes.REQUEST)
        if len(data) > self.largest:
            raise MqttError(codes.PACKET_TOO_LARGE)
        return data

    def tick(self, now, backpressure=False):
        """Queue a ping if it is due; return the milliseconds until the next call. NetError "timeout": the server does
        not answer.

        A ping is sent once nothing was received, or nothing sent, for 3/4 of the keep-alive. It must be answered within
        half of the keep-alive. `backpressure`: the client is not reading, so a missing answer means nothing.
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
        """Queue a DISCONNECT with reason `code`, and set `error`, the reason why there is no connection. No effect if
        called again."""
        if self.state == OPEN:
            self.error = error
            # In 3.1.1 a DISCONNECT has no code and would suppress the will.
            if self.version == 5 or not code:
                self.out += encode.disconnect(code)
        self.state = self.after(codes.FINISH)

    def lost(self, error):
        """Record that the connection is gone. Return the unanswered entries; publishes of a persistent session will be
        sent again."""
        self.state = self.after(codes.LOST)
        self.error = self.error or error
        self.out = bytearray()
        return self.in_flight.lost(self.error)
