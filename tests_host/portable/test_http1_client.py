"""The HTTP client against scripted streams, in virtual time."""

import asyncio

from http1.client import Client
from http1.message import HttpError
from netio.errors import NetError
from tests_host.support.scripted import FakeClock, ScriptedDialer, ScriptedStream

try:
    from micropython import heap_lock, heap_unlock
except ImportError:  # elsewhere memory never ends

    def heap_lock():
        pass

    heap_unlock = heap_lock

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET /a HTTP/1.1\r\nHost: api.realer.test\r\nAccept-Encoding: identity\r\n\r\n"


class Rig:
    """A client with its clock and streams. `scripts`: one per dial, a list for a stream or a ScriptedDialer's step."""

    def __init__(self, *scripts):
        self.clock = FakeClock()
        self.streams = []
        steps = [self._step(script) for script in scripts]
        self.dialer = ScriptedDialer(steps, self.clock)
        self.client = Client(self.dialer, self.clock, "api.realer.test")

    def _step(self, script):
        if isinstance(script, list):
            script = ScriptedStream(script, self.clock)
        if isinstance(script, ScriptedStream):
            self.streams.append(script)
        return script

    async def get(self, **options):
        return await self.client.request("GET", "/a", **options)

    async def failure(self, **options):
        """(kind or class, words) of the error that the request ends in."""
        try:
            await self.get(**options)
        except NetError as e:
            return e.kind, e.detail
        except HttpError as e:
            return "http", str(e)
        return None


async def test_response():
    rig = Rig([OK])
    response = await rig.get()
    assert (response.status, response.retry_after_s, response.body) == (200, 0, b"ok")
    assert rig.streams[0].sent == GET
    assert rig.dialer.dialled == [("api.realer.test", 443, True)]


async def test_one_connection_serves_many_requests():
    rig = Rig([OK, OK, b"HTTP/1.1 429 Slow down\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"])
    await rig.get()
    await rig.get()
    response = await rig.client.request("POST", "/b", (("A", "b"),), b"{}")
    assert (response.status, response.retry_after_s) == (429, 7)
    assert rig.streams[0].sent.endswith(b"A: b\r\nContent-Length: 2\r\n\r\n{}")
    assert rig.streams[0].closed == 0
    assert (rig.client.requests, rig.client.dials) == (3, 1)


async def test_body_larger_than_the_buffer():
    body = bytes(range(256)) * 50
    rig = Rig([b"HTTP/1.1 200 OK\r\nContent-Length: 12800\r\n\r\n" + body, OK])
    assert (await rig.get()).body == body
    assert (await rig.get()).body == b"ok"


async def test_connection_close_and_surplus_bytes_end_the_connection():
    closes = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    for response in (closes, OK + b"HTTP/1.1 200 OK\r\n"):
        rig = Rig([response], [OK])
        await rig.get()
        assert rig.streams[0].closed == 1
        await rig.get()
        assert rig.client.dials == 2


async def test_redirect_is_a_status():
    rig = Rig([b"HTTP/1.1 307 T\r\nLocation: https://other.test/\r\nContent-Length: 0\r\n\r\n"])
    assert (await rig.get()).status == 307
    assert rig.client.dials == 1


async def test_port_in_the_host_header():
    clock = FakeClock()
    stream = ScriptedStream([OK], clock)
    await Client(ScriptedDialer([stream]), clock, "h", 8443).request("GET", "/a")
    assert stream.sent == b"GET /a HTTP/1.1\r\nHost: h:8443\r\nAccept-Encoding: identity\r\n\r\n"


async def test_an_idle_connection_that_was_closed_is_replaced_once():
    for end in (b"", NetError("closed", "ECONNRESET")):
        rig = Rig([OK, end], [OK])
        await rig.get()
        assert (await rig.get()).status == 200
        assert rig.client.dials == 2 and rig.streams[0].closed == 1
        assert rig.streams[1].sent == GET


async def test_a_connection_that_fails_while_sending_is_replaced():
    rig = Rig([OK], [OK])
    await rig.get()
    rig.streams[0]._send_error = NetError("closed", "EPIPE")
    assert (await rig.get()).status == 200
    assert rig.client.dials == 2


async def test_a_request_is_repeated_only_once():
    rig = Rig([OK, b""], [b""], [OK])
    await rig.get()
    assert await rig.failure() == ("closed", "no response")
    assert rig.client.dials == 2


GONE = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n"


async def test_an_idle_connection_with_status_408_is_replaced():
    # With the farewell saying that it is one, not saying so, and without a length.
    for farewell in (
        [GONE + b"Connection: close\r\n\r\n"],
        [GONE + b"\r\n"],
        [b"HTTP/1.1 408 x\r\n\r\nbye", b""],
    ):
        rig = Rig([OK] + farewell, [OK])
        await rig.get()
        assert (await rig.get()).body == b"ok"
        assert (rig.client.requests, rig.client.dials) == (2, 2)
        assert rig.streams[0].closed == 1 and rig.streams[1].sent == GET


async def test_408_on_a_fresh_connection_is_an_answer():
    rig = Rig([GONE + b"\r\n"], [OK])
    assert (await rig.get()).status == 408
    assert rig.client.dials == 1
    rig = Rig([OK, GONE + b"\r\n"], [GONE + b"\r\n"], [OK])
    await rig.get()
    assert (await rig.get()).status == 408
    assert rig.client.dials == 2


async def test_fresh_connection_is_not_replaced():
    rig = Rig([b""], [OK])
    assert await rig.failure() == ("closed", "no response")
    assert rig.client.dials == 1 and rig.streams[0].closed == 1


async def test_a_request_with_a_partial_response_is_not_repeated():
    for half in (b"H", b"HTTP/1.1 100 Continue\r\n\r\n", OK[:-1]):
        rig = Rig([OK, half, NetError("closed", "ECONNRESET")], [OK])
        await rig.get()
        assert await rig.failure() == ("closed", "ECONNRESET")
        rig = Rig([OK, half, b""], [OK])
        await rig.get()
        assert await rig.failure() == ("http", "cut short")
        assert rig.client.dials == 1


async def test_every_phase_has_its_deadline():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    table = (
        (None, "connect", 20000),
        ([], "head", 15000),
        ([b"HTTP/1.1 2"], "head", 15000),
        ([head], "body", 15000),
        ([head, b"o"], "body", 15000),
        ([14000, head, 14000, b"o"], "body", 29000),
    )
    for script, phase, waited_ms in table:
        rig = Rig(script, [OK])
        assert await rig.failure() == ("timeout", phase)
        assert rig.clock.waited_ms == waited_ms
        assert all(stream.closed == 1 for stream in rig.streams[:-1])
        assert (await rig.get()).status == 200


async def test_slow_bytes_do_not_extend_a_deadline():
    slow = []
    for byte in range(1000):
        slow += [100, bytes((byte & 1,))]
    rig = Rig([b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"] + slow)
    assert await rig.failure() == ("timeout", "body")
    assert rig.clock.waited_ms == 15000


class StuckStream(ScriptedStream):
    async def write(self, data):
        await self._clock.sleep_ms(1 << 29)


async def test_send_deadlines():
    clock = FakeClock()
    rig = Rig(StuckStream([], clock))
    rig.clock = rig.client.clock = clock
    assert await rig.failure() == ("timeout", "send")
    assert clock.waited_ms == 20000  # the first send carries the TLS handshake
    rig = Rig([OK])
    await rig.get()
    rig.streams[0].write = StuckStream([], rig.clock).write
    assert await rig.failure() == ("timeout", "send")
    assert rig.clock.waited_ms == 10000


async def test_silence_on_a_kept_connection_is_not_repeated():
    rig = Rig([OK], [OK])
    await rig.get()
    assert await rig.failure() == ("timeout", "head")
    assert rig.client.dials == 1 and rig.streams[0].closed == 1


async def test_dial_errors_pass_and_the_next_request_dials_again():
    for kind in ("dns", "connect", "tls"):
        rig = Rig(NetError(kind, "why"), [OK])
        assert await rig.failure() == (kind, "why")
        assert (await rig.get()).status == 200


async def test_a_malformed_response_closes_the_connection():
    rig = Rig([b"SSH-2.0-x\r\n"], [OK])
    assert await rig.failure() == ("http", "not HTTP/1")
    assert rig.streams[0].closed == 1
    assert (await rig.get()).status == 200


async def test_body_limit():
    rig = Rig([b"HTTP/1.1 200 OK\r\nContent-Length: 16385\r\n\r\n"])
    assert await rig.failure() == ("http", "body too large")
    assert rig.streams[0].closed == 1


async def test_a_malformed_request_does_not_touch_the_connection():
    rig = Rig([OK])
    caught = None
    try:
        await rig.client.request("GET", "/a\r\n")
    except ValueError as e:
        caught = str(e)
    assert caught == "http: bad target"
    assert rig.client.dials == rig.client.requests == 0


async def test_callers_wait_for_each_other():
    rig = Rig(
        [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2"]
    )
    answers = await asyncio.gather(rig.get(), rig.get())
    assert [bytes(answer.body) for answer in answers] == [b"1", b"2"]
    assert rig.client.dials == 1


class HangingStream(ScriptedStream):
    async def read_into(self, view):
        await asyncio.Event().wait()


async def test_a_cancelled_request_closes_and_releases_the_lock():
    rig = Rig(HangingStream([]), [OK])
    task = asyncio.create_task(rig.get())
    for _ in range(20):
        await asyncio.sleep(0)
    assert rig.streams[0].sent == GET and not rig.streams[0].closed
    task.cancel()
    cancelled = False
    try:
        await task
    except asyncio.CancelledError:
        cancelled = True
    assert cancelled and rig.streams[0].closed == 1
    rig.client.clock = rig.clock = FakeClock()
    assert (await rig.get()).status == 200


class MemorylessStream(ScriptedStream):
    async def write(self, data):
        heap_lock()
        raise MemoryError


async def test_a_memory_error_releases_the_lock():
    rig = Rig(MemorylessStream([]), [OK])
    failed = False
    try:
        await rig.get()
    except MemoryError:
        failed = True
    heap_unlock()
    assert failed and not rig.client.lock.locked()
    assert (await rig.get()).status == 200


async def test_close():
    rig = Rig([OK], [OK])
    rig.client.close()
    await rig.get()
    rig.client.close()
    rig.client.close()
    assert rig.streams[0].closed == 1
    await rig.get()
    assert rig.client.dials == 2


async def test_close_while_a_request_dials_does_not_break_it():
    rig = Rig([OK])
    task = asyncio.create_task(rig.get())
    for _ in range(20):
        if rig.client.dials:
            break
        await asyncio.sleep(0)
    assert not rig.client.stream
    rig.client.close()
    assert (await task).body == b"ok"


async def test_no_error_shows_what_was_sent():
    secret = (("Authorization", "Bearer test-secret-not-real"),)
    for script in (None, [], [b""], [b"HTTP/1.1 200 OK\r\nRetry-After: test-secret-not-real\xff\r\n\r\n"]):
        rig = Rig(script)
        text = None
        try:
            await rig.client.request("GET", "/a", secret)
        except (NetError, HttpError) as e:
            text = repr(e) + str(e) + repr(e.args)
        assert text and "not-real" not in text


async def test_connect_dials_before_a_request():
    rig = Rig([OK, OK])
    await rig.client.connect()
    assert (rig.client.requests, rig.client.dials) == (0, 1) and rig.streams[0].sent == b""
    await rig.client.connect()
    await rig.get()
    assert (rig.client.requests, rig.client.dials) == (1, 1) and rig.streams[0].sent == GET


async def test_a_connection_dialed_early_and_closed_is_replaced():
    for end in (b"", NetError("closed", "ECONNRESET")):
        rig = Rig([end], [OK])
        await rig.client.connect()
        assert (await rig.get()).status == 200
        assert rig.client.dials == 2 and rig.streams[0].closed == 1


async def test_connect_has_its_deadline_and_releases_the_lock():
    for script, desired in ((None, ("timeout", "connect")), (NetError("dns", "why"), ("dns", "why"))):
        rig = Rig(script, [OK])
        caught = None
        try:
            await rig.client.connect()
        except NetError as e:
            caught = e.kind, e.detail
        assert caught == desired and rig.client.stream is None
        assert rig.clock.waited_ms == (20000 if script is None else 0)
        assert not rig.client.lock.locked()
        assert (await rig.get()).status == 200


async def test_connect_waits_for_a_running_request():
    rig = Rig([OK])
    await asyncio.gather(rig.get(), rig.client.connect())
    assert rig.client.dials == 1
