"""The network as links need it: verified TLS connections and the time of day, and how much memory there is for them.

Built once, from the configuration. Name resolution, dialing and the time query are other modules, which are in memory
only while they are used: a connection at rest does not need their 5 KB.
"""

from micropython import const

from firmware.core.errors import ConfigError, LinkError
from firmware.core.timing import Timer
from netio.stream import verifying_context
from units.loader import Unit

_DOUBT_MS = const(86400000)
_CONNECTION = const(33000)
_HANDSHAKE = const(42000)
"""Bytes outside of the Python heap that a TLS connection takes at rest, and while it shakes hands, with the longest
chain that was measured (docs/memory.md)."""


class Net:
    """`dhcp_dns()`: the name servers from DHCP; `floor_s`: unix seconds before which no time is believed;
    what is set later counts for a day only, so that a false time, once learned, cannot lock the device out for good.
    `board`: how much memory there is, `idf_free()` and `heap()`, see drivers.board. ConfigError when a CA file cannot
    be used."""

    def __init__(self, config, dhcp_dns, clock, rng, floor_s, board):
        interface = config["wifi"] or config["lan"]
        fixed = interface and interface["dns"]
        self.name_servers = lambda: fixed or dhcp_dns()
        self.clock = clock
        self.rng = rng
        self.board = board
        self.floor_s = self.build_s = floor_s
        self.doubt = Timer(clock.ms(), _DOUBT_MS)
        self.servers = config["time"]["servers"]
        self.names = {}  # what the resolver remembers
        self.turn = 0
        self.prepared = None  # (host, port, Stream)
        self.free = None  # bytes there were before the latest dial
        # Evidence: failures since the last packet from anybody, and connections in a row that lacked memory; the latest
        # of those is not handled yet (2: outside the Python heap); the dates of a certificate do not fit the clock.
        self.unanswered = self.memory_failures = self.new_memory_failure = 0
        self.known = self.dates_failed = False  # known: something was received since the start
        # The time is asked for; a link changes its transport: one at a time, as both load code.
        self.asking_time = self.changing_transport = False
        self.distrusted = self.ends = False  # the latest failure: no root was good; see roots.add
        try:
            self.context = verifying_context(map(_content, config["cloud"]["ca_files"]))
        except (OSError, ValueError) as e:
            raise ConfigError("cloud.ca_files: %s; DER files are needed" % e)

    async def prepare(self, host, port):
        """Dial for the next `dial` to the same place, before code is loaded beside which dialing has no room."""
        self.forget_prepared()
        self.prepared = host, port, await self.dial(host, port)

    def stuck(self):
        """The LinkError of code that was dropped and has not gone: memory is short then, and counted as that."""
        self.memory_failures += 1
        self.new_memory_failure = 1
        return LinkError("memory: code that was dropped is still referred to")

    def forget_prepared(self):
        """Close what was prepared and not asked for. Never raises."""
        prepared, self.prepared = self.prepared, None
        if prepared:
            prepared[2].close()

    async def dial(self, host, port, tls=True):
        """See netio.sockets.Dialer."""
        prepared, self.prepared = self.prepared, None
        if prepared:
            if prepared[:2] == (host, port):
                return prepared[2]
            prepared[2].close()
        unit = self.unit(_dialer)
        dialer = unit.load()(self)
        self.free = self.board.idf_free()
        try:
            stream = await dialer.dial(host, port, tls)
            self.answered()
            return stream
        finally:
            self.turn = dialer.turn
            unit.drop()

    def answered(self):
        """Something was received from the network, whoever sent it."""
        self.unanswered = 0
        self.known = True

    def explain(self, error):
        """A NetError as a text, see links.explaining."""
        unit = self.unit(_explaining)
        try:
            return unit.load()(self, error)
        except MemoryError:
            self.memory_failures += 1
            self.new_memory_failure = 1
            return str(error)
        finally:
            unit.drop()

    def two_fit(self, open_now=0):
        """Whether a second TLS connection may be dialed beside a first one; `open_now`: how many there are."""
        free = self.board.idf_free()
        return free is None or free >= _HANDSHAKE + _CONNECTION * (1 - open_now) + _CONNECTION // 4

    def heap_free(self):
        """Bytes of the Python heap that can be had without growing it."""
        return self.board.heap()[1]

    async def keep_time(self, network, gateway=None):
        """See links.time_query."""
        unit = self.unit(_asking)
        self.asking_time = True
        try:
            await unit.load()(self, network, gateway)
        finally:
            self.asking_time = False
            unit.drop()

    def unit(self, importing):
        return Unit(importing, self.clock.sleep_ms)


def _content(path):
    with open(path, "rb") as f:
        return f.read()


def _dialer():
    from firmware.links.dialing import dialer

    return dialer


def _asking():
    from firmware.links.time_query import keep

    return keep


def _explaining():
    from firmware.links.explaining import explain

    return explain
