"""What this port's asyncio leaves out, because a browser must never block: `run`, and streams.

It has the loop that drives the port's own tasks (`_asyncio`, the same C code as on an ESP32) and wakes a task that
waits for a stream. Everything else, from `wait_for` to `Lock`, stays what the version at hand has. `install()` puts it
in place.
"""

import asyncio
import select
from asyncio import core
from micropython import const

import _host

_READ = const(1)
_WRITE = const(4)
_FOREVER = const(3600000)
# Nothing below may take memory in the loop's way: a task that ended for want of it has to be reported.
_ENDS = (core.CancelledError, Exception)
_EXPECTED = (core.CancelledError, StopIteration)


class Waiting:
    """Tasks that wait for a stream: (stream, event, task)."""

    def __init__(self):
        self.tasks = []
        self.poller = select.poll()

    async def until(self, stream, event):
        task = core.cur_task
        self.tasks.append((stream, event, task))
        self._ask(stream)
        task.data = self  # whom Task.cancel() asks to let go of it
        await Turn()

    def remove(self, task):
        """Called by Task.cancel()."""
        for entry in self.tasks:
            if entry[2] is task:
                self.tasks.remove(entry)
                self._ask(entry[0])
                return

    def wake(self):
        """Let those run whose stream is ready or broken; whether there were any."""
        woken = False
        if self.tasks:
            for stream, events in [ready[:2] for ready in self.poller.poll(0)]:
                for entry in self.tasks[:]:
                    # An error or the end wakes everybody: the next read or write tells which.
                    if entry[0] is stream and events & (entry[1] | ~(_READ | _WRITE)):
                        self.remove(entry[2])
                        core._task_queue.push(entry[2])
                        woken = True
        return woken

    def _ask(self, stream):
        events = 0
        for entry in self.tasks:
            if entry[0] is stream:
                events |= entry[1]
        if events:
            self.poller.register(stream, events)
        else:
            self.poller.unregister(stream)


class Turn:
    """Awaited: gives the turn away once, to whoever is to bring it back."""

    def __init__(self):
        self.given = False

    def __iter__(self):
        return self

    __await__ = __iter__

    def __next__(self):
        if self.given:
            raise StopIteration
        self.given = True


class Stream:
    """asyncio.StreamReader and asyncio.StreamWriter, as far as a device uses them."""

    def __init__(self, s, e=None):
        self.s = s
        self.e = e or {}
        self.out = b""

    def get_extra_info(self, name):
        return self.e[name]

    async def readinto(self, buf):
        await core._waiting.until(self.s, _READ)
        return self.s.readinto(buf)

    async def read(self, n=-1):
        found = b""
        while True:
            await core._waiting.until(self.s, _READ)
            piece = self.s.read(n)
            if piece is not None:
                found += piece
                if n >= 0 or not piece:
                    return found

    def write(self, data):
        if not self.out:
            sent = self.s.write(data) or 0
            data = data[sent:]
        self.out += data

    async def drain(self):
        while self.out:
            await core._waiting.until(self.s, _WRITE)
            self.out = self.out[self.s.write(self.out) or 0 :]

    def close(self):
        pass

    async def wait_closed(self):
        self.s.close()


def run(coro):
    """Run until `coro` has ended; what it returned or raised. Other tasks stay where they are."""
    main = core.create_task(coro)
    try:
        while True:
            task = _next()
            if not task:
                return None  # nothing can ever happen again
            core.cur_task = task
            thrown = task.data
            try:
                if thrown:
                    task.data = None
                    task.coro.throw(thrown)
                else:
                    task.coro.send(None)
            except _ENDS as end:
                if task is main:
                    if isinstance(end, StopIteration):
                        return end.value
                    raise
                _ended(task, end, thrown)
    finally:
        core.cur_task = None


def _next():
    """The next task that may run, once it may; None when no task waits for anything that can come."""
    while True:
        core._waiting.wake()
        task = core._task_queue.peek()
        wait_ms = core.ticks_diff(task.ph_key, core.ticks()) if task else _FOREVER
        if wait_ms <= 0:
            return core._task_queue.pop()
        if not task and not core._waiting.tasks:
            return None
        _host.wait(wait_ms)


def _ended(task, end, thrown):
    """Tell who waits for it. `task.state`: True while it runs and nobody waits, else a function or a TaskQueue of those
    who do; then False where somebody noticed its end, None where nobody did."""
    if not task.state:
        # Thrown into after its end, see below: nobody has asked for what it raised in the meantime.
        task.data = thrown
        core._exc_context["exception"] = thrown
        core._exc_context["future"] = task
        core.Loop.call_exception_handler(core._exc_context)
        return
    reported = False
    if task.state is True:
        task.state = None
    elif callable(task.state):
        task.state(task, end)  # wait_for's
        task.state, reported = False, True
    else:
        while task.state.peek():
            core._task_queue.push(task.state.pop())
            reported = True
        task.state = False
    if not reported and not isinstance(end, _EXPECTED):
        core._task_queue.push(task)
    task.data = end


def new_event_loop():
    core._task_queue = core.TaskQueue()
    core._waiting = Waiting()
    core.cur_task = None
    return core.Loop


def install():
    for module in (core, asyncio):
        module.new_event_loop = new_event_loop
        module.run = run
        module.StreamReader = module.StreamWriter = Stream
        module.run_until_complete = run
    core.Loop.run_until_complete = run
    new_event_loop()
