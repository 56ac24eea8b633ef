"""The network as links have it: what is dialed ahead, how much memory there is, and the words for too little."""

import errno

from firmware.core.errors import ConfigError
from firmware.links import net as module
from netio.errors import NetError
from netio.stream import net_error
from tests_host.support.raising import raised
from tests_host.support.scripted import FakeClock

CONFIG = {"wifi": {"dns": []}, "lan": None, "time": {"servers": ["ntp.test"]}, "cloud": {"ca_files": []}}


class Stream:
    def __init__(self, place):
        self.place = place
        self.closed = 0

    def close(self):
        self.closed += 1


class Dialer:
    """In place of the real one. `turn` goes up where dialing failed, as there."""

    made = []
    fails = False

    def __init__(self, net):
        self.turn = net.turn
        Dialer.made.append(self)

    async def dial(self, host, port, tls=True):
        if Dialer.fails:
            self.turn += 1
            raise NetError("connect", "no")
        return Stream((host, port, tls))


class Board:
    def __init__(self):
        self.pool = 100000

    def idf_free(self):
        return self.pool

    def heap(self):
        return 70000, 28000


def made(config=CONFIG, verifying_context=list):
    """A Net that dials nobody. Its module is left as it was, but for the dialer, which needs a chip's sockets."""
    module._dialer = lambda: Dialer
    Dialer.made = []
    Dialer.fails = False
    before = module.verifying_context
    module.verifying_context = verifying_context
    try:
        return module.Net(config, lambda: ["192.0.2.1"], FakeClock(), lambda: 4, 1790000000, Board())
    finally:
        module.verifying_context = before


async def test_a_prepared_connection_is_used_once():
    net = made()
    await net.prepare("a.test", 443)
    ahead = net.prepared[2]
    assert await net.dial("a.test", 443) is ahead and ahead.closed == 0
    assert len(Dialer.made) == 1
    again = await net.dial("a.test", 443)
    assert again is not ahead and len(Dialer.made) == 2


async def test_a_prepared_connection_to_another_host_is_closed():
    for place in (("b.test", 443), ("a.test", 8883)):
        net = made()
        await net.prepare("a.test", 443)
        ahead = net.prepared[2]
        assert (await net.dial(*place)).place == (place[0], place[1], True)
        assert ahead.closed == 1 and net.prepared is None


async def test_preparing_twice_or_in_vain_leaves_no_connection():
    net = made()
    await net.prepare("a.test", 443)
    first = net.prepared[2]
    await net.prepare("a.test", 443)
    second = net.prepared[2]
    assert (first.closed, second.closed) == (1, 0)
    net.forget_prepared()
    net.forget_prepared()
    assert second.closed == 1


async def test_after_a_failure_the_next_dialer_goes_on_with_another_address():
    net = made()
    assert net.turn == net.clock.ms(), "devices begin with different addresses"
    net.turn = 0
    Dialer.fails = True
    for turn in (1, 2):
        try:
            await net.dial("a.test", 443)
        except NetError:
            pass
        else:
            raise AssertionError("dialed")
        assert net.turn == turn
    Dialer.fails = False
    await net.dial("a.test", 443)
    assert [dialer.turn for dialer in Dialer.made] == [1, 2, 2]


async def test_after_a_failure_behind_an_address_that_accepts_connections_another_one_is_tried():
    for kind, detail, counted in (
        ("tls", "handshake failed", 1),
        ("closed", "ECONNRESET", 1),
        ("timeout", "send", 1),
        ("timeout", "head", 1),
        ("connect", "ECONNREFUSED", 0),  # counted by the dialer
        ("timeout", "connect", 0),
        ("dns", "no address", 0),
    ):
        net = made()
        await net.dial("a.test", 443)
        before = net.turn
        net.explain(NetError(kind, detail))
        assert net.turn - before == counted, (kind, detail)


async def test_lack_of_memory_is_named_beside_the_error():
    net = made()
    error = NetError("tls", "not correctly signed")
    assert net.explain(error) == str(error), "nothing was dialed yet"
    for pool, short in ((41999, True), (42000, False), (None, False)):
        net.board.pool = pool
        await net.dial("a.test", 443)
        assert (str(pool) in net.explain(error)) == short
        assert str(error) in net.explain(error)
        assert net.explain(NetError("dns", "no answer")) == "dns: no answer"


def test_a_failure_is_counted_as_what_it_is_evidence_for():
    for kind, detail, unanswered, memory, dates, distrusted in (
        ("dns", "no answer", 7, (0, 0), False, False),
        ("connect", "ENOMEM", 5, (2, 2), False, False),
        ("tls", "validity has expired", 5, (0, 0), True, True),
        ("tls", "The certificate is not correctly signed by the trusted CA", 0, (0, 0), False, True),
        ("tls", "does not match with the expected CN", 0, (0, 0), False, False),
        ("sntp", "not synchronized", 0, (0, 0), False, False),
    ):
        net = made()
        net.unanswered = 5
        net.distrusted = True  # by the failure before
        for _ in range(2):
            net.explain(NetError(kind, detail))
        assert net.unanswered == unanswered, kind
        assert (net.memory_failures, net.new_memory_failure) == memory
        assert net.dates_failed == dates and net.distrusted == distrusted


async def test_a_root_is_not_blamed_when_memory_was_short():
    net = made()
    net.board.pool = 41999
    await net.dial("a.test", 443)
    net.explain(NetError("tls", "The certificate is not correctly signed by the trusted CA"))
    assert net.memory_failures == 1 and not net.distrusted


def test_an_error_is_logged_with_the_text_of_its_layer():
    for error, kind, detail in (
        (OSError(errno.ECONNRESET), "closed", "ECONNRESET"),
        (OSError(-errno.ECONNRESET), "closed", "ECONNRESET"),
        (OSError(-0x7280, "CONN_EOF"), "closed", "CONN_EOF"),
        (OSError(-0x7780), "tls", -0x7780),
        (ValueError("\nnot trusted\nexpired\n"), "tls", "not trusted; expired"),
    ):
        found = net_error(error)
        assert (found.kind, found.detail) == (kind, detail)


def test_two_fit_depends_on_the_free_memory():
    net = made()
    for pool, none_open, one_open in ((None, True, True), (83250, True, True), (83249, False, True),
                                      (50250, False, True), (50249, False, False)):  # fmt: skip
        net.board.pool = pool
        assert (net.two_fit(), net.two_fit(1)) == (none_open, one_open), pool
    assert net.heap_free() == 28000


def test_name_servers_are_configured_or_from_dhcp():
    assert made().name_servers() == ["192.0.2.1"]
    own = dict(CONFIG, wifi={"dns": ["192.0.2.9"]})
    assert made(own).name_servers() == ["192.0.2.9"]
    assert made(dict(CONFIG, wifi=None)).name_servers() == ["192.0.2.1"]


def test_a_certificate_that_cannot_be_used_is_named_by_its_key():
    for error in (ValueError("invalid cert"), OSError(2)):

        def refuse(files, error=error):
            raise error

        error = raised(ConfigError, made, verifying_context=refuse)
        assert str(error).startswith("cloud.ca_files")
