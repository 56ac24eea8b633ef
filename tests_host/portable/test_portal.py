"""What the portal answers to whom, what it writes, and when it ends."""

import asyncio
import json

from firmware.core.errors import ConfigError, DriverError
from firmware.core.models import Secret
from firmware.core.setup_form import SCRIPT_HASH
from firmware.portal import run_portal
from firmware.portal_site import Site
from firmware.safe_mode import show_config_error
from tests_host.support.scripted import FakeClock, ScriptedVisitor

PASSWORD = "test-password-not-real"
SECRET = "test-secret-not-real"
GOOD = "ssid=home&password=" + PASSWORD + "&device_id=12345&client_id=cdv_1&client_secret=" + SECRET


class Flash:
    """The Store seam. `refuses`: it is full, or worn."""

    def __init__(self, **config):
        self.files = {"config.json": json.dumps(config)}
        self.refuses = False
        self.good = 0

    def load(self, name):
        return json.loads(self.files.get(name, "{}"))

    def save(self, name, record):
        if not self.refuses:
            self.files[name] = json.dumps(record)
        return not self.refuses

    def mark_good(self):
        self.good += 1
        return True


class Point:
    """The access point seam. `fails`: the verb that does."""

    def __init__(self, name, fails=""):
        self.ssid = name + "-00ff"
        self.fails = fails
        self.on = False
        self.password = self.handle = None

    def around(self):
        row = b"\x02\0\0\0\0\1", 6
        return [(b"cellar",) + row + (-80, 3, False), (b"home & garden",) + row + (-40, 3, False)]

    def start(self, password):
        if self.fails == "start":
            raise DriverError("access point: broken")
        if self.fails == "memory":
            raise MemoryError
        self.password = password
        self.on = True

    async def listen(self, handle):
        if self.fails == "listen":
            raise DriverError("access point: broken")
        self.handle = handle

    def step(self, answer):
        pass

    def has_clients(self):
        return False

    def stop(self):
        self.on = False


def site(standalone=True, **config):
    parts = {"name": "pump", "wifi": {"networks": []}, "cloud": {"ca_files": ["ca.der"]}}
    parts.update(config)
    flash = Flash(**parts)
    return Site(FakeClock(), lambda: 0xABCD0123, flash, standalone, Point), flash


def ask(site, data):
    """(status, headers and body) of what is answered to one request."""
    peer = ScriptedVisitor(site.clock, data)
    asyncio.run(site.serve(peer, peer))
    assert peer.closed == 1
    return int(peer.received[9:12] or 0), peer.received.decode()


def get(target="/", host="192.168.4.1"):
    return ("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, host)).encode()


def post(body, target="/save", host="192.168.4.1"):
    head = "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n" % (target, host, len(body))
    return (head + body).encode()


def signed(body):
    return post("token=abcd0123abcd0123&" + body)


def test_the_form_and_everything_else():
    s, _ = site()
    status, text = ask(s, get())
    assert status == 200 and "text/html; charset=utf-8" in text and "pump-00ff" in text
    assert ask(s, get(host="192.168.4.1:80"))[0] == 200
    for request in (
        get("/generate_204", "connectivitycheck.example"),
        get("/", "captive.example"),
        get("/other"),
        get("/", ""),
        get("/", "192.168.4.1.evil.example"),
    ):
        status, text = ask(s, request)
        assert status == 302 and "Location: http://192.168.4.1/\r\n" in text and "token" not in text
    outcomes = (
        (404, post("", "/")),
        (404, post(GOOD, "/other")),
        (405, b"PUT / HTTP/1.1\r\nHost: 192.168.4.1\r\n\r\n"),
        (400, b"\x16\x03\x01\0\r\n\r\n"),
        (400, post("token=%zz")),
        (413, b"POST /save HTTP/1.1\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000),
        (431, b"GET /" + b"x" * 5000),
        (0, b"GET / HT"),
    )
    for expected, request in outcomes:
        status, text = ask(s, request)
        assert status == expected and "token" not in text, request[:40]
    assert not s.saved and s.connections == 0
    assert ask(s, get())[0] == 200


def test_head_is_answered_as_get_is_without_the_body():
    s, _ = site()
    for target, host in (
        ("/", "192.168.4.1"),
        ("/generate_204", "connectivitycheck.example"),
        ("/hotspot.html", "a"),
    ):
        expected, text = ask(s, get(target, host))
        status, head = ask(s, get(target, host).replace(b"GET", b"HEAD"))
        assert status == expected and head == text[: text.index("\r\n\r\n") + 4]
        assert (status == 302) == ("Location: http://192.168.4.1/\r\n" in head)


def test_the_page_shows_its_reason_and_the_networks_in_reach():
    s, _ = site()
    s.why = "It could not join <home>."
    s.look(None)
    _, text = ask(s, get())
    assert "It could not join &lt;home&gt;." in text
    assert text.index('value="home &amp; garden"') < text.index('value="cellar"')
    assert SCRIPT_HASH in text
    s.look([])
    assert "cellar" not in ask(s, get())[1]
    beside, _ = site(standalone=False)
    beside.look(None)
    assert beside.found == []


def test_an_empty_form_saves_nothing_and_shows_an_error():
    for config in ({}, {"wifi": {"networks": [{"ssid": "home", "password": PASSWORD}]}}):
        s, flash = site(**config)
        before = flash.files["config.json"]
        status, text = ask(s, signed("ssid=&password=&device_id=+&client_id=&client_secret="))
        assert status == 422 and "Nothing was entered" in text
        assert not s.saved and flash.files["config.json"] == before


def test_a_network_that_is_picked_wins_over_the_name_in_the_field():
    s, flash = site()
    status, _ = ask(s, signed("net=picked&" + GOOD))
    assert status == 200 and flash.load("config.json")["wifi"]["networks"][0]["ssid"] == "picked"
    s, flash = site()
    assert ask(s, signed("net=&" + GOOD))[0] == 200
    assert flash.load("config.json")["wifi"]["networks"][0]["ssid"] == "home"


def test_valid_input_is_saved_and_ends_the_portal():
    s, flash = site()
    status, text = ask(s, signed(GOOD))
    assert status == 200 and s.saved and "home" in text
    assert SECRET not in text and PASSWORD not in text
    config = flash.load("config.json")
    assert config["wifi"]["networks"] == [{"ssid": "home", "password": PASSWORD}]
    assert config["cloud"]["client_secret"] == SECRET and config["cloud"]["ca_files"] == ["ca.der"]
    assert flash.good == 1


def test_a_form_without_its_token_is_not_saved():
    s, flash = site()
    before = flash.files["config.json"]
    for request in (post(GOOD), post("token=&" + GOOD), post("token=abcd0123abcd0124&" + GOOD)):
        status, text = ask(s, request)
        assert status == 403 and "home" not in text
    body = "token=abcd0123abcd0123&" + GOOD
    status, text = ask(s, post(body, host="evil.example"))
    assert status == 403 and "token" not in text
    assert not s.saved and flash.files["config.json"] == before


def test_invalid_input_is_not_saved():
    s, flash = site()
    before = flash.files["config.json"]
    status, text = ask(s, signed(GOOD.replace(PASSWORD, "short")))
    assert status == 422 and 'id="wrong-password"' in text and SECRET not in text and 'value="home"' in text
    assert not s.saved and flash.files["config.json"] == before
    assert ask(s, signed(GOOD))[0] == 200


def test_standalone_it_shows_errors_without_a_field():
    broken = {"outputs": [{"pin_port": "6", "gpio": 6}]}
    s, _ = site(**broken)
    status, text = ask(s, signed(GOOD))
    assert status == 422 and "outputs[0].gpio" in text and not s.saved
    s, _ = site(standalone=False, **broken)
    assert ask(s, signed(GOOD))[0] == 200 and s.saved


def test_a_flash_that_refuses_is_reported_on_the_page():
    s, flash = site()
    flash.refuses = True
    status, text = ask(s, signed(GOOD))
    assert status == 500 and "flash" in text and not s.saved


def test_a_silent_connection_is_closed_and_surplus_ones_are_refused():
    s, _ = site()
    for printed in ((20000,), (b"GET / HTTP/1.1\r\n", 20000), (OSError(104),)):
        peer = ScriptedVisitor(s.clock, *printed)
        asyncio.run(s.serve(peer, peer))
        assert peer.received == b"" and peer.closed == 1 and s.connections == 0
    # None of these three is one that says nothing, whom a newcomer could take the place of.
    s.connections = 3
    assert ask(s, get()) == (0, "")
    s.connections = 2
    assert ask(s, get())[0] == 200


class UnlimitedClock:
    """A clock for connections that stay open."""

    async def within(self, ms, awaitable):
        return await awaitable


class Silent(ScriptedVisitor):
    """Connects in advance, as browsers do, and says nothing until it is `asked`."""

    def __init__(self, request=b""):
        super().__init__(None, request)
        self.asked = asyncio.Event()

    async def read(self, n):
        await self.asked.wait()
        return await super().read(n)


class Slow(Silent):
    """Begins to say something, and stops."""

    async def read(self, n):
        return await ScriptedVisitor.read(self, n) if self._script else await super().read(n)


async def test_of_too_many_silent_connections_the_oldest_is_closed():
    s, _ = site()
    s.clock = UnlimitedClock()
    silent = [Silent(get()) for _ in range(7)]
    tasks = []
    for connection in silent:
        tasks.append(asyncio.create_task(s.serve(connection, connection)))
        for _ in range(5):
            await asyncio.sleep(0)
    assert [connection.closed for connection in silent] == [1, 1, 1, 1, 0, 0, 0]
    for connection in silent[4:]:
        connection.asked.set()
    for task in tasks:
        await task
    assert [connection.received[9:12] for connection in silent] == [b""] * 4 + [b"200"] * 3
    assert s.connections == 0 and s.silent == []


async def test_an_active_connection_is_not_closed_for_others():
    s, _ = site()
    s.clock = UnlimitedClock()
    slow = [Slow(b"GET / HT") for _ in range(3)]
    tasks = [asyncio.create_task(s.serve(connection, connection)) for connection in slow]
    for _ in range(5):
        await asyncio.sleep(0)
    late = Silent(get())
    await s.serve(late, late)
    assert late.closed == 1 and late.received == b""
    assert [connection.closed for connection in slow] == [0, 0, 0]
    for connection in slow:
        connection.asked.set()
    for task in tasks:
        await task


class Log:
    def __init__(self):
        self.clock = FakeClock()
        self.hidden = []
        self.lines = []

    def log(self, level, text):
        self.lines.append(text)


def portal_result(keep_open=lambda point: True, fails="", minutes=3):
    """How the portal ended: (whether something was saved, the minutes it took, the access point, the log)."""
    log = Log()
    points = []

    def access_point(name):
        points.append(Point(name, fails))
        return points[0]

    settings = {"password": Secret(PASSWORD), "minutes": minutes, "wait_s": 60}
    flash = Flash(name="pump")
    result = asyncio.run(run_portal(settings, log, lambda: 1, flash, access_point, True, keep_open))
    assert not points[0].on and log.hidden[0].reveal() == PASSWORD
    assert PASSWORD not in "".join(log.lines)
    return result, log.clock.waited_ms / 60000, points[0]


def test_the_portal_closes_after_its_minutes():
    saved, minutes, point = portal_result()
    assert not saved and 3 <= minutes < 3.1 and point.password == PASSWORD


def test_the_portal_closes_when_a_network_is_joined():
    left = [5]

    def keep_open(point):
        assert point.on
        left[0] -= 1
        return left[0] > 0

    saved, minutes, _ = portal_result(keep_open)
    assert not saved and minutes < 0.1


def test_a_radio_that_fails_ends_it():
    for verb in ("start", "listen", "memory"):
        saved, minutes, _ = portal_result(fails=verb)
        assert not saved and minutes == 0


class Board:
    """What a device needs that cannot work. Its reset ends the story."""

    def __init__(self):
        self.driven = []

    def output(self, gpio, active_high, on):
        self.driven.append((gpio, on))

    def random32(self):
        return 7


def safe_mode(left):
    """What the board did in a minute with a configuration of which that is left."""
    board, log, flash = Board(), Log(), Flash(name="pump")
    flash.save("boot.json", {"outputs": [[16, 0, 1], [17, 1, 0]]})
    coroutine = show_config_error(board, log, flash, left)
    try:
        asyncio.run(log.clock.within(60000, coroutine))
    except asyncio.TimeoutError:
        return board.driven
    raise AssertionError("it ended")


def test_a_wrong_configuration_without_a_portal_only_waits():
    for left in (ConfigError("no file").left, {"led": None, "portal": None}):
        assert safe_mode(left) == [(16, True), (17, False)]
