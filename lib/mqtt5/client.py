"""One MQTT connection at a time: publish and receive, once `opening` has connected and subscribed.

Three tasks read from the stream, write to it, and send pings. Only they use the stream, and they are cancelled only
when the connection ends, because on MicroPython cancelling a reader would break the writer of the same stream. The
client does not reconnect by itself, and it drops no message: while the application does not receive, it stops reading.
"""

import asyncio
from micropython import const

from mqtt5.packet import Message, MqttError
from mqtt5.session import Session
from netio.errors import NetError

_GRACE_MS = const(2000)
# Reading stops when more messages than this wait in `inbox` (_MOST) or are unacknowledged (_OWED). The limits exceed
# our Receive Maximum, because an answer that the application needs first may follow these messages, and mosquitto 2.0
# resends all unacknowledged messages of a resumed session, whatever the Receive Maximum.
_MOST = const(16)
_OWED = const(40)
_TURNS = const(6)  # turns of the event loop until all tasks that a message concerns have run


class Client:
    """`dialer`: has `dial(host, port)`. `clock`: has `ms`, `sleep_ms` and `within`. `view`: memoryview of the receive
    buffer, which limits the size of a packet; None: one of 2 KB.

    `deliver(message)` is called with each Message received. By default it appends to `inbox` for `receive`, and reading
    stops while more than 16 messages wait there. An exception that it raises ends the connection."""

    def __init__(self, dialer, clock, host, port=8883, view=None):
        self.dialer = dialer
        self.clock = clock
        self.host = host
        self.port = port
        self.session = Session(view)
        self.inbox = []
        self.deliver = self.inbox.append
        self.stream = None
        self.tasks = ()
        self.turn = asyncio.Lock()
        self.changed = asyncio.Event()  # set on every change; each waiting task then checks its own condition

    async def publish(self, topic, payload, expiry_s=None, qos=1):
        """Publish, and return once the server has acknowledged it (QoS 1) or it is queued (QoS 0).

        `topic`: str; `payload`: bytes; `expiry_s`: message expiry interval, MQTT 5 only. Any number of tasks may
        publish concurrently; they wait while the server's Receive Maximum or our memory allows no more. MqttError:
        refused. NetError: it may or may not have arrived, and in a persistent session is sent again after reconnecting.
        Cancelling does not withdraw the message.
        """
        return await self.outcome(await self.post(topic, payload, expiry_s, qos))

    async def post(self, topic, payload, expiry_s=None, qos=1):
        """Like `publish`, but return as soon as the message is queued: its InFlight, which has `codes` or an `error`
        once the server has answered; None with QoS 0."""
        return await self.submit(self.session.publish, topic, payload, expiry_s, qos)

    async def until(self, holds):
        """Wait until `holds()` is true. It is called again after every change: a message, an answer, or the end of the
        connection. Cancelling loses nothing. NetError or MqttError: the error that ended the connection."""
        while not holds():
            if self.session.error:
                raise self.session.error
            await self._change()

    def take(self):
        """Return the next Message of `inbox`, which must not be empty. Pass its `receipt` to `done`."""
        self.changed.set()
        return self.inbox.pop(0)

    async def receive(self):
        """Wait for the next Message and return it. Pass its `receipt` to `done`. After the connection has ended, the
        Messages already received are still returned; then the NetError or MqttError that ended it is raised."""
        await self.until(lambda: self.inbox)
        return self.take()

    def done(self, receipt):
        """Acknowledge a Message that the application has handled. Until then, a persistent session redelivers it."""
        self.session.done(receipt)
        self.changed.set()

    def lose(self):
        """Forget all Messages that `done` was not called for: a persistent session redelivers them after this
        connection."""
        self.inbox.clear()
        self.session.lose()

    async def disconnect(self, reason=0):
        """Send everything queued and DISCONNECT with `reason`, 0 or an MQTT 5 code (4: publish the will), then close,
        within two seconds."""
        self.session.finish(NetError("closed", "disconnected"), reason)
        self.changed.set()
        try:
            await self.clock.within(_GRACE_MS, self._closed())
        except asyncio.TimeoutError:
            pass
        finally:
            self.close()

    def close(self):
        """Close the connection, if there is one, without DISCONNECT. Never raises."""
        self._end(self.stream, NetError("closed", "closed here"))

    def abandon(self):
        """Close after the event loop was stopped for good, as by Ctrl-C at the REPL. Tasks and events are forgotten,
        because setting an event would queue its waiting tasks in the loop that runs now."""
        self.tasks = ()
        self.changed = asyncio.Event()
        for entry in self.session.in_flight.all:
            entry.over = None
        self.close()

    # -- for `opening` --

    async def refill(self, stream):
        """Read more bytes from `stream` into the session. NetError."""
        size = await stream.read_into(self.session.space())
        if not size:
            raise NetError("closed", "by the server")
        self.session.received(size)

    async def submit(self, make, *args):
        """Wait until the session accepts another packet, then return `make(*args)`, an InFlight or None. NetError or
        MqttError: the connection ended, or `make` refused."""
        session = self.session
        turn = self.turn
        await turn.acquire()
        try:
            while session.full() and not session.error:
                await self._change()
            if session.error:
                raise session.error
            entry = make(*args)
            if entry:
                entry.over = asyncio.Event()
            self.changed.set()
        finally:
            turn.release()
        return entry

    async def outcome(self, entry):
        """Wait until the InFlight `entry` is answered and return its reason codes (bytes); None if `entry` is None.
        NetError or MqttError: the connection ended, or the server refused."""
        if entry:
            await entry.over.wait()
            if entry.error:
                raise entry.error
            return entry.codes

    async def keep(self, stream, job):
        """Run one of the three tasks below. When it ends, the other two and the connection end too."""
        error = NetError("closed", "task ended")
        try:
            await job(stream)
        except (NetError, MqttError, MemoryError) as e:
            error = e  # stored for the waiting callers, not raised: asyncio keeps a task that ends with an exception
        finally:
            self._end(stream, error, asyncio.current_task())

    async def reader(self, stream):
        """Receive packets, and deliver the Messages among them, until the connection ends. NetError, MqttError."""
        session = self.session
        while stream is self.stream:
            while self._backpressure():
                await self._change()
            try:
                event = session.next(self.clock.ms())
            except MqttError:
                self.changed.set()
                await self.clock.sleep_ms(_GRACE_MS)  # lets the writer send DISCONNECT
                raise
            if isinstance(event, Message):
                self.deliver(event)
            elif event:
                _notify(event)
            self.changed.set()
            if not event:
                # Let the waiting tasks run first: while one waits for TLS, each turn of the event loop takes a
                # millisecond more on MicroPython's unix port.
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
                await self.refill(stream)

    async def writer(self, stream):
        """Send queued packets until the connection ends. NetError, MqttError."""
        session = self.session
        while stream is self.stream:
            if session.out and not session.full():
                await asyncio.sleep(0)  # other tasks may add packets, which then share one TLS record
            data = session.take(self.clock.ms())
            if data:
                await stream.write(data)
                self.changed.set()
            elif session.error:
                raise session.error
            else:
                await self._change()

    async def pinger(self, stream):
        """Send pings and enforce their deadline until the connection ends. NetError."""
        while stream is self.stream:
            left_ms = self.session.tick(self.clock.ms(), self._backpressure())
            self.changed.set()
            await self.clock.sleep_ms(left_ms)

    async def _change(self):
        self.changed.clear()
        await self.changed.wait()

    async def _closed(self):
        while self.stream:
            await self._change()

    def _end(self, stream, error, me=None):
        if stream and stream is self.stream:
            self.stream = None
            # The tasks must stop waiting for the stream before it is closed.
            for task in self.tasks:
                if task is not me:
                    task.cancel()
            stream.close()
            for entry in self.session.lost(error):
                _notify(entry)
            self.changed.set()

    def _backpressure(self):
        return len(self.inbox) > _MOST or self.session.owed() > _OWED


def _notify(entry):
    if entry.over:  # None if memory ran out before it was created; then no caller waits
        entry.over.set()
