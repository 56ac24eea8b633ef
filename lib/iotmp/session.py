"""The device's side of IOTMP, without a clock or a socket.

It handles the login, keep-alives, up to 32 streams that the server opens, and every request that needs no decision by
the application. All others are passed to the application as a Request. Of a frame larger than the buffer, only the
beginning is decoded, which has the stream id; the frame is refused with 413, and the rest is skipped. The keep-alive's
deadline applies meanwhile.

Use: put bytes into `space()`, call `received(n)`, call `next(now)` until it returns None, send what `take()` returns.
All times (`now`) are milliseconds that wrap at 2**30.

How it works: `TRANSITIONS` defines which event is legal in which state. An event is a received frame or one of these:
BEGIN, `connect` queues the login; LEAVE, DISCONNECT is queued; LOST, the stream is gone. `after` looks up the next
state; an illegal event raises and changes nothing. `_ACTS` has the handlers of the frames of an open connection.
"""

from binascii import crc32
from collections import namedtuple
from micropython import const

from iotmp import frame as f
from iotmp.frame import IotmpError

CLOSED = const(0)
LOGIN = const(1)
OPEN = const(2)

TRANSITIONS = (
    b"---"  # 0: no frame has this type
    b"-22"  # OK
    b"-02"  # ERROR: the login is refused; once open, it is ignored, because the device sends no requests
    b"--2"  # CONNECT: ignored
    b"--0"  # DISCONNECT
    b"-12"  # KEEP_ALIVE
    b"--2"  # RUN
    b"--2"  # DESCRIBE
    b"--2"  # START_STREAM
    b"--2"  # STOP_STREAM
    b"--2"  # STREAM_DATA
    b"1--"  # BEGIN
    b"--0"  # LEAVE
    b"000"  # LOST
)
"""For each event, the next state by present state (CLOSED, LOGIN, OPEN); "-": illegal."""

RUN = const(1)
INPUT = const(2)
OUTPUT = const(3)
BOTH = const(4)

_MASK = const(0x3FFFFFFF)
_ANSWER_MS = const(20000)
_FASTEST_MS = const(1000)
_SLOWEST_MS = const(86400000)
_STREAMS = const(32)
_FULL = const(4096)
_FRESH_MS = const(5000)

Request = namedtuple("Request", ("stream_id", "resource", "payload"))
"""A request of the server: run a RUN resource (`payload`: None or its argument), set an INPUT (its new value), or run a
resource of kind BOTH (its input). Answer with `answer` or `refuse` and this stream id, unless that is None."""


class Refused(IotmpError):
    """The server refused user, device or credential."""


class Session:
    """`application`: has `kinds`, a dict of RUN, INPUT, OUTPUT or BOTH by resource name, and `read(name)`, which
    returns the present value, or for BOTH an example, {"in": ..., "out": ...}. `keep_alive_ms`: at most 60000. `size`:
    bytes of the largest frame to receive. `state`: CLOSED, LOGIN or OPEN.

    `active` is set by every frame received. `pings` and `pongs` count keep-alives sent and answered. `too_large`: bytes
    of the last frame that was refused for its size; the application sets it to 0 once it has logged that.
    """

    def __init__(self, application, keep_alive_ms=50000, size=1024):
        self.application = application
        self.keep_alive_ms = keep_alive_ms
        self.view = memoryview(bytearray(size))
        self.out = bytearray()
        self.end = self.skip = self.pings = self.pongs = self.asked = self.too_large = 0
        self.active = False
        self.state = CLOSED
        self.streams = {}  # id: [resource, interval in ms or 0, time of the last sample, its checksum]

    def after(self, event):
        """Return the state that follows `event`, see TRANSITIONS. IotmpError: it is illegal in the present state."""
        state = TRANSITIONS[event * 3 + self.state] - 48
        if state < 0:
            raise IotmpError("protocol error")
        return state

    def connect(self, now, user, device, credential, stream_id):
        """Begin a connection: queue CONNECT for `take`. `stream_id`: a random int, 1 to 65535."""
        self.state = self.after(f.BEGIN)
        self.end = self.skip = self.pings = self.pongs = 0
        self.active = False
        self.asked = now
        self.streams = {}
        self.out = f.encode(f.CONNECT, (f.STREAM_ID, stream_id), (f.PAYLOAD, (user, device, credential)))

    def space(self):
        """Return the memoryview to receive into."""
        return self.view[self.end :]

    def received(self, size):
        """Record that `size` bytes were received into `space()`."""
        self.end += size

    def full(self):
        """Return whether so much is queued (over 4 KiB) that nothing should be read until some of it is sent."""
        return len(self.out) > _FULL

    def take(self):
        """Return all queued bytes (a bytearray) and clear the queue."""
        out, self.out = self.out, bytearray()
        return out

    def next(self, now):
        """Handle received frames up to the first Request and return that; None if more bytes are needed. IotmpError:
        the connection is over. Refused: the login was refused, and would be again."""
        view = self.view
        while True:
            if self.skip:
                gone = min(self.skip, self.end)
                self.skip -= gone
                self._drop(gone)
            head = f.head(view, 0, self.end)
            if not head:
                return None
            kind, start, end = head
            here = min(end, len(view))
            if here > self.end:
                return None
            found, wrong = {}, None
            try:
                f.fields(view, start, here, found)
            except ValueError as e:
                wrong = f.BAD_REQUEST, str(e)
            if end > here:
                self.too_large = self.skip = end
                wrong = f.TOO_LARGE, "more than %d bytes" % here
            else:
                self._drop(end)
            self.active = True
            request = self._act(kind, found, wrong, now)
            if request:
                return request

    def tick(self, now):
        """Queue the samples and the keep-alive that are due; return the milliseconds until the next one. IotmpError: a
        keep-alive was not answered within 20 s."""
        since = (now - self.asked) & _MASK
        left = _ANSWER_MS if self.pings > self.pongs else self.keep_alive_ms
        if since >= left:
            if self.pings > self.pongs:
                raise IotmpError("keep-alive not answered")
            self.ping(now)
            since, left = 0, _ANSWER_MS
        left -= since
        for stream_id, stream in self.streams.items():
            interval = stream[1]
            if interval:
                since = (now - stream[2]) & _MASK
                if since >= interval:
                    if not self.full():
                        self._sample(stream_id, now)
                    since = 0
                left = min(left, interval - since)
        return left

    def ping(self, now):
        """Queue a keep-alive. Its answer also shows that the server has received everything queued before it."""
        if self.pings == self.pongs:
            self.asked = now
        self.pings += 1
        self.out += f.encode(f.KEEP_ALIVE)

    def answer(self, stream_id, *payload):
        """Queue the answer to a request that was carried out. `payload`: at most one value, see `pson.put`."""
        if stream_id is not None:
            fields = [(f.PAYLOAD, payload[0])] if payload else []
            self.out += f.encode(f.OK, (f.STREAM_ID, stream_id), *fields)

    def refuse(self, stream_id, status, text):
        """Queue the answer to a request that was not carried out. `status`: an HTTP status code. `text`: the reason."""
        if stream_id is not None:
            self.out += f.encode(
                f.ERROR, (f.STREAM_ID, stream_id), (f.PARAMETERS, status), (f.PAYLOAD, {"error": text})
            )

    def changed(self, name, now, again=False):
        """Queue the value of resource `name`, which may have changed, for its streams. An unchanged value is queued
        only if `again` is true or the last sample is over 5 s old. An OUTPUT stream with an interval gets only its
        regular samples, because the server stores each one in a data bucket."""
        for stream_id, stream in self.streams.items():
            if stream[0] == name and (not stream[1] or self.application.kinds[name] == INPUT):
                self._sample(stream_id, now, again)

    def leave(self):
        """Queue the DISCONNECT."""
        self.state = self.after(f.LEAVE)
        self.out += f.encode(f.DISCONNECT)

    # -- internal --

    def _drop(self, size):
        self.end -= size
        self.view[: self.end] = bytes(self.view[size : size + self.end])

    def _sample(self, stream_id, now, again=True):
        stream = self.streams[stream_id]
        data = f.encode(
            f.STREAM_DATA, (f.STREAM_ID, stream_id), (f.PAYLOAD, self.application.read(stream[0]))
        )
        check = crc32(data) & _MASK
        if again or check != stream[3] or (now - stream[2]) & _MASK > _FRESH_MS:
            stream[2] = now
            stream[3] = check
            self.out += data

    def _act(self, kind, found, wrong, now):
        login = self.state == LOGIN
        if login and wrong and kind != f.ERROR:
            kind = 0  # a malformed frame cannot accept a login
        self.state = self.after(kind)
        if self.state == CLOSED:
            raise Refused("login refused") if login else IotmpError("closed by the server")
        if login:
            return None
        stream_id = found.get(f.STREAM_ID)
        if type(stream_id) is not int or stream_id < 0:
            stream_id = None  # the frame cannot be answered
        if wrong:
            if f.RUN <= kind <= f.START_STREAM:
                self.refuse(stream_id, *wrong)
            return None
        name = found.get(f.RESOURCE)
        if type(name) is list:
            name = "/".join([part for part in name if type(part) is str])
        if type(name) is not str or name not in self.application.kinds:
            name = None
        return _ACTS[kind - f.KEEP_ALIVE](self, stream_id, name, found, now) if kind >= f.KEEP_ALIVE else None

    def _pong(self, stream_id, name, found, now):
        if self.pongs < self.pings:
            self.pongs += 1
            self.asked = now

    def _run_resource(self, stream_id, name, found, now):
        kind = self.application.kinds.get(name)
        if not kind:
            self.refuse(stream_id, f.NOT_FOUND, "not found")
        elif kind == OUTPUT:
            self.answer(stream_id, self.application.read(name))
        elif kind == RUN or f.PAYLOAD in found:  # INPUT or BOTH
            return Request(stream_id, name, found.get(f.PAYLOAD))
        else:
            self.answer(stream_id)

    def _describe(self, stream_id, name, found, now):
        kinds = self.application.kinds
        if f.RESOURCE not in found:
            listed = {}
            for one in kinds:
                listed[one] = {"fn": kinds[one]}
            self.answer(stream_id, listed)
        elif not name:
            self.refuse(stream_id, f.NOT_FOUND, "not found")
        elif kinds[name] == RUN:
            self.answer(stream_id)
        else:
            value = self.application.read(name)
            self.answer(
                stream_id, value if kinds[name] == BOTH else {"in" if kinds[name] == INPUT else "out": value}
            )

    def _open(self, stream_id, name, found, now):
        interval = found.get(f.PARAMETERS)
        if type(interval) is dict:
            interval = interval.get("interval")
        interval = max(interval, 0) if type(interval) is int else 0
        if interval:
            interval = min(max(interval, _FASTEST_MS), _SLOWEST_MS)
        if stream_id is None or self.application.kinds.get(name) not in (INPUT, OUTPUT):
            self.refuse(stream_id, f.NOT_FOUND, "not found")
        elif stream_id not in self.streams and len(self.streams) >= _STREAMS:
            self.refuse(stream_id, f.UNAVAILABLE, "too many streams")
        else:
            self.streams[stream_id] = [name, interval, now, 0]
            self.answer(stream_id)
            self._sample(stream_id, now)

    def _stop(self, stream_id, name, found, now):
        self.streams.pop(stream_id, None)
        self.answer(stream_id)

    def _take_data(self, stream_id, name, found, now):
        stream = self.streams.get(stream_id)
        if stream and f.PAYLOAD in found and self.application.kinds[stream[0]] == INPUT:
            return Request(None, stream[0], found[f.PAYLOAD])


_ACTS = (
    Session._pong,
    Session._run_resource,
    Session._describe,
    Session._open,
    Session._stop,
    Session._take_data,
)
"""Handlers by frame type, from KEEP_ALIVE on."""
