"""One IOTMP connection at a time: log in, receive what is to be done, answer.

It has the stream and the three tasks that read it, write to it and watch the time. Only these tasks touch it, and only
its end cancels them: on MicroPython a cancelled reader would take the writer along. It does not reconnect by itself,
and it applies backpressure: when the application does not receive, or the server does not, it stops reading.
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
    """`dialer`: the seam with `dial(host, port)`; `clock`: the seam with `ms`, `sleep_ms` and `within`; `session`: a
    Session, which `answer`, `refuse` and `changed` of this class pass on to."""

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
        self.moved = asyncio.Event()  # the one event for everything: every waiting task checks again

    async def connect(self, *login):
        """`connect(user, device, credential, stream_id)`: log in, after closing what there was.

        NetError, "timeout" after 40 s for everything. IotmpError; Refused: by the server.
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
        """The next Request, or None after `most_ms` or earlier. After the connection's end: what had come, then what
        ended it, NetError or IotmpError."""
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
        """See Session.answer, and so on."""
        self._queue(self.session.answer, *args)

    def refuse(self, *args):
        self._queue(self.session.refuse, *args)

    def changed(self, name, again=False):
        self._queue(self.session.changed, name, self.clock.ms(), again)

    def mark(self):
        """Send a keep-alive. Its answer acknowledges everything sent before; returns its number, which `session.pongs`
        will have reached then."""
        self._queue(self.session.ping, self.clock.ms())
        return self.session.pings

    async def acknowledged(self):
        """Return when the server has everything that was sent before. NetError or IotmpError: it may or may not."""
        number = self.mark()
        while self.error or self.session.pongs < number:
            if self.error:
                raise self.error
            await self.until_moved()

    async def disconnect(self):
        """Send what waits and DISCONNECT, and close, within two seconds; after `abandon` too."""
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
        """Forget the tasks, which are not to run again, as after Ctrl-C at the REPL. To cancel them would take them
        out of the queue of a loop that never had them, and MicroPython does not survive that; the event that others
        wait for would take those into whichever loop runs then."""
        self.tasks = ()
        self.writing = False
        self.moved = asyncio.Event()

    def close(self):
        """Drop the connection, if there is one, without a word. Never raises."""
        self._end(self.stream, NetError("closed", "closed here"))

    async def _login(self, login):
        session = self.session
        # Stored at once: whenever a deadline strikes, `close` finds it. The login is made when it can be sent, so that
        # no credential stays behind.
        self.stream = await self.dialer.dial(self.host, self.port)
        session.connect(self.clock.ms(), *login)
        await self.stream.write(session.take())  # and with it the TLS handshake
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
        """Wait until something happened here."""
        self.moved.clear()
        await self.moved.wait()

    async def _keep(self, stream, job):
        """Run one of the tasks; the end of any is the end of all, and of the connection."""
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
            # First the tasks stop waiting for the stream, then it is closed.
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
                self.writing = True  # half of a frame may be on its way
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
