"""One IOTMP connection at a time: log in, receive requests, answer them.

Three tasks read from the stream, write to it, and watch deadlines. Only they use the stream, and they are cancelled
only when the connection ends, because on MicroPython cancelling a reader would break the writer of the same stream. The
client does not reconnect by itself. It applies backpressure: it stops reading while over eight Requests wait for
`receive`, or over 4 KiB wait to be sent.
"""

import asyncio
from micropython import const

from iotmp.frame import LOST, IotmpError
from iotmp.session import OPEN
from netio.errors import NetError

_CONNECT_MS = const(40000)
_GRACE_MS = const(2000)
_STEP_MS = const(500)
_MOST = const(8)


class Client:
    """`dialer`: has `dial(host, port)`. `clock`: has `ms`, `sleep_ms` and `within`. `session`: a Session. `error`: why
    there is no connection, None while there is one."""

    def __init__(self, dialer, clock, host, port, session):
        self.dialer = dialer
        self.clock = clock
        self.host = host
        self.port = port
        self.session = session
        self.stream = None
        self.error = NetError("closed", "not connected")
        self.inbox = []
        self.tasks = ()
        self.writing = False
        self.moved = asyncio.Event()  # set on every change; each waiting task then checks its own condition

    async def connect(self, *login):
        """`connect(user, device, credential, stream_id)`: close any earlier connection, connect and log in.

        All arguments are str but `stream_id`, see Session. NetError: "timeout" if that takes more than 40 s in all.
        Refused, an IotmpError: the server refused the login. Any other IotmpError: the server broke the protocol.
        """
        self.close()
        self.inbox = []
        try:
            await self.clock.within(_CONNECT_MS, self._login(login))
        except asyncio.TimeoutError:
            raise NetError("timeout", "answer" if self.stream else "connect")
        finally:
            if not (self.stream and self.session.state == OPEN):
                self.close()
        stream = self.stream
        self.error = None
        self.writing = False
        self.tasks = [
            asyncio.create_task(self._keep(stream, job)) for job in (self._read, self._write, self._watch)
        ]

    async def receive(self, most_ms):
        """Return the next Request, or None after at most `most_ms` milliseconds. After the connection has ended, the
        Requests already received are still returned; then the NetError or IotmpError that ended it is raised."""
        if not self.inbox and not self.error:
            try:
                await self.clock.within(most_ms, self.until_moved())
            except asyncio.TimeoutError:
                pass
        if not self.inbox:
            if self.error:
                raise self.error
            return None
        self.moved.set()
        return self.inbox.pop(0)

    def answer(self, *args):
        """See Session.answer. No effect after the connection has ended."""
        self._queue(self.session.answer, *args)

    def refuse(self, *args):
        """See Session.refuse. No effect after the connection has ended."""
        self._queue(self.session.refuse, *args)

    def changed(self, name, again=False):
        """See Session.changed. No effect after the connection has ended."""
        self._queue(self.session.changed, name, self.clock.ms(), again)

    def mark(self):
        """Send a keep-alive, whose answer acknowledges everything sent before it. Return its number: the answer has
        arrived once `session.pongs` has reached that."""
        self._queue(self.session.ping, self.clock.ms())
        return self.session.pings

    async def acknowledged(self):
        """Wait until the server has received everything that was queued before. NetError or IotmpError: the connection
        ended, and the server may or may not have received it."""
        number = self.mark()
        while self.error or self.session.pongs < number:
            if self.error:
                raise self.error
            await self.until_moved()

    async def disconnect(self):
        """Send everything queued and DISCONNECT, then close, within two seconds. May be called after `abandon`."""
        stream = self.stream
        if self.error:
            return
        self._cancel()
        self.session.leave()
        try:
            if not self.writing:
                await self.clock.within(_GRACE_MS, stream.write(self.session.take()))
        except (NetError, asyncio.TimeoutError):
            pass
        finally:
            self.close()

    def abandon(self):
        """Forget the tasks of an event loop that will not run again, as after Ctrl-C at the REPL. They are not
        cancelled: that would remove them from the queue of the present loop, which does not contain them, and crash
        MicroPython. The event is replaced, because setting it would queue its waiting tasks in the present loop."""
        self.tasks = ()
        self.writing = False
        self.moved = asyncio.Event()

    def close(self):
        """Close the connection, if there is one, without DISCONNECT. Never raises."""
        self._end(self.stream, NetError("closed", "closed here"))

    async def _login(self, login):
        session = self.session
        # Stored at once, so that `close` finds it whenever the deadline expires. The login is encoded only when it can
        # be sent, so that the credential does not stay in memory.
        self.stream = await self.dialer.dial(self.host, self.port)
        session.connect(self.clock.ms(), *login)
        await self.stream.write(session.take())  # includes the TLS handshake
        while session.state != OPEN:
            await self._fill(self.stream)
            self._sort()

    def _sort(self):
        while len(self.inbox) <= _MOST:
            request = self.session.next(self.clock.ms())
            if not request:
                return
            self.inbox.append(request)

    async def _fill(self, stream):
        size = await stream.read_into(self.session.space())
        if not size:
            raise NetError("closed", "by the server")
        self.session.received(size)

    def _queue(self, add, *args):
        if not self.error:
            add(*args)
            self.moved.set()

    async def until_moved(self):
        """Wait for the next change of this client or its session."""
        self.moved.clear()
        await self.moved.wait()

    async def _keep(self, stream, job):
        """Run one of the three tasks. When it ends, the other two and the connection end too."""
        error = NetError("closed", "task ended")
        try:
            await job(stream)
        except (NetError, IotmpError) as e:
            error = e
        finally:
            self._end(stream, error, asyncio.current_task())

    def _end(self, stream, error, me=None):
        if stream and stream is self.stream:
            self.stream = None
            self.error = error
            self.session.state = self.session.after(LOST)
            # The tasks must stop waiting for the stream before it is closed.
            self._cancel(me)
            stream.close()
            self.moved.set()

    def _cancel(self, me=None):
        for task in self.tasks:
            if task is not me:
                task.cancel()
        self.tasks = ()

    async def _read(self, stream):
        while stream is self.stream:
            while len(self.inbox) > _MOST or self.session.full():
                await self.until_moved()
            self._sort()
            self.moved.set()
            if len(self.inbox) <= _MOST:
                await self._fill(stream)

    async def _write(self, stream):
        while stream is self.stream:
            data = self.session.take()
            if data:
                self.writing = True  # part of a frame may have been sent
                await stream.write(data)
                self.writing = False
                self.moved.set()
            else:
                await self.until_moved()

    async def _watch(self, stream):
        while stream is self.stream:
            left_ms = self.session.tick(self.clock.ms())
            if self.session.out:
                self.moved.set()
            await self.clock.sleep_ms(min(left_ms, _STEP_MS))
