"""One MQTT connection at a time: publish and receive, once `opening` has connected and subscribed.

It has the stream and the three tasks that read it, write to it and ping, and decides when callers wait. Only these
tasks touch the stream, and only its end cancels them: on MicroPython a cancelled reader would take the writer along.
It does not reconnect by itself, and drops no message: when the application does not receive, it stops reading.
"""

import asyncio
from micropython import const

from mqtt5.packet import Message, MqttError
from mqtt5.session import Session
from netio.errors import NetError

_GRACE_MS = const(2000)
# Messages that wait in `inbox`, and those that are not finished: an answer may come behind them, and the application
# may need it first. In a session that goes on, mosquitto 2.0 sends whatever is under way, however many it may.
_MOST = const(16)
_OWED = const(40)
_TURNS = const(6)  # tasks that run one after the other until a message has its effect


class Client:
    """`dialer`: the seam with `dial(host, port)`; `clock`: the seam with `ms`, `sleep_ms` and `within`; `view`:
    memoryview of a buffer for received packets, which may be as large as that; None for one of 2 KB.

    `deliver(message)` is called with each Message as it comes. Unless it is replaced, they wait in `inbox` for
    `receive`, and nothing more is read while many do. What it raises ends the connection."""

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
        self.changed = asyncio.Event()  # the one event for everything: every waiting task checks again

    async def publish(self, topic, payload, expiry_s=None, qos=1):
        """Return when the server has acknowledged it, with QoS 0 when it is about to be sent.

        Any number of callers may do so at once: they wait for each other where the server or our memory wants it.
        MqttError: refused. NetError: it may or may not have arrived, and in a kept session will be sent once more after
        reconnecting. Cancelling takes nothing back.
        """
        return await self.outcome(await self.post(topic, payload, expiry_s, qos))

    async def post(self, topic, payload, expiry_s=None, qos=1):
        """Hand over as `publish` does, but return as soon as there is room for it: its InFlight, which has `codes` or
        an `error` once the server has answered; None with QoS 0."""
        return await self.submit(self.session.publish, topic, payload, expiry_s, qos)

    async def until(self, holds):
        """Return once `holds()`, which is asked again after every change: a message came, an answer, or the end.
        Cancelling loses nothing. NetError, MqttError: what ended the connection."""
        while not holds():
            if self.session.error:
                raise self.session.error
            await self._change()

    def take(self):
        """The next Message of `inbox`, which has one; its `receipt` is for `done`."""
        self.changed.set()
        return self.inbox.pop(0)

    async def receive(self):
        """The next Message; its `receipt` is for `done`. At the connection's end: what had come, then what ended it."""
        await self.until(lambda: self.inbox)
        return self.take()

    def done(self, receipt):
        """Acknowledge a Message: the application has it safe. Until then a kept session would bring it again."""
        self.session.done(receipt)
        self.changed.set()

    def lose(self):
        """The application has lost what it has not finished: a kept session brings it again after this connection."""
        self.inbox.clear()
        self.session.lose()

    async def disconnect(self, reason=0):
        """Send what waits and DISCONNECT with `reason`, 0 or an MQTT 5 code (4: publish the will), then close."""
        self.session.finish(NetError("closed", "disconnected"), reason)
        self.changed.set()
        try:
            await self.clock.within(_GRACE_MS, self._closed())
        except asyncio.TimeoutError:
            pass
        finally:
            self.close()

    def close(self):
        """Drop the connection, if there is one, without a word. Never raises."""
        self._end(self.stream, NetError("closed", "closed here"))

    def abandon(self):
        """The same when no task is to run again, as after Ctrl-C at the REPL: all are forgotten, for an event would
        take those that wait for it into whichever loop runs then."""
        self.tasks = ()
        self.changed = asyncio.Event()
        for entry in self.session.in_flight.all:
            entry.over = None
        self.close()

    # -- for `opening` --

    async def refill(self, stream):
        """Wait for more bytes, for the session to look at. NetError."""
        size = await stream.read_into(self.session.space())
        if not size:
            raise NetError("closed", "by the server")
        self.session.received(size)

    async def submit(self, make, *args):
        """What `make(*args)` returns, an InFlight or None, once there is room for it. NetError, MqttError."""
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
        """The reason codes of an InFlight that is over, after waiting for that; None for none. NetError, MqttError."""
        if entry:
            await entry.over.wait()
            if entry.error:
                raise entry.error
            return entry.codes

    async def keep(self, stream, job):
        """Run one of the three tasks below; the end of any is the end of all, and of the connection."""
        error = NetError("closed", "task ended")
        try:
            await job(stream)
        except (NetError, MqttError, MemoryError) as e:
            error = (
                e  # for the callers that wait: a task that ends with an exception would be kept by asyncio
            )
        finally:
            self._end(stream, error, asyncio.current_task())

    async def reader(self, stream):
        session = self.session
        while stream is self.stream:
            while self._backpressure():
                await self._change()
            try:
                event = session.next(self.clock.ms())
            except MqttError:
                self.changed.set()
                await self.clock.sleep_ms(_GRACE_MS)  # for the writer to send the DISCONNECT
                raise
            if isinstance(event, Message):
                self.deliver(event)
            elif event:
                _notify(event)
            self.changed.set()
            if not event:
                # First the tasks that waited for it: on MicroPython's unix port each task costs a millisecond more
                # while one waits for TLS.
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
                await self.refill(stream)

    async def writer(self, stream):
        session = self.session
        while stream is self.stream:
            if session.out and not session.full():
                await asyncio.sleep(0)  # others may be about to add something: one TLS record for all of it
            data = session.take(self.clock.ms())
            if data:
                await stream.write(data)
                self.changed.set()
            elif session.error:
                raise session.error
            else:
                await self._change()

    async def pinger(self, stream):
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
            # First the tasks stop waiting for the stream, then it is closed.
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
    if entry.over:  # without: memory was short, and no caller waits
        entry.over.set()
