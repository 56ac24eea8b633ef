"""The network for links: verified TLS connections, the time of day, and whether there is memory for them.

Name resolution, dialing and the time query are other modules, which are loaded only while they are used: an idle
connection does not need their 5 KB.
"""

from micropython import const

from firmware.core.errors import ConfigError, LinkError
from firmware.core.timing import Timer
from netio.stream import verifying_context
from units.loader import Unit

_DOUBT_MS = const(86400000)
_CONNECTION = const(33000)
_HANDSHAKE = const(42000)
"""Bytes outside the Python heap that a TLS connection takes when idle, and during the handshake with the longest chain
that was measured (docs/memory.md)."""


class Net:
    """`config`: the whole configuration. `dhcp_dns()`: returns the name servers from DHCP. `floor_s`: earliest time
    that is accepted, in Unix seconds; a later one that is assigned applies for a day, so that a wrong time cannot lock
    the device out for good. `board`: for `idf_free()` and `heap()`. ConfigError: a CA file cannot be used."""

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
        self.names = {}  # the resolver's cache
        self.turn = clock.ms()  # selects one of a host's addresses, for each device another
        self.prepared = None  # (host, port, Stream)
        self.free = None  # bytes outside the Python heap before the last dial
        # Evidence for the escalation ladder: failures since the last packet from any host; failures in a row for lack
        # of memory; whether the last of these is not handled yet (1: Python heap, 2: outside it).
        self.unanswered = self.memory_failures = self.new_memory_failure = 0
        # Something was received since the start; the dates of a certificate do not fit the clock.
        self.known = self.dates_failed = False
        # The time is queried; a link changes its transport. Never both at once, because both load code.
        self.asking_time = self.changing_transport = False
        # No root certificate matched in the last failure; for `ends` see roots.add.
        self.distrusted = self.ends = False
        try:
            self.context = verifying_context(map(_content, config["cloud"]["ca_files"]))
        except (OSError, ValueError) as e:
            raise ConfigError("cloud.ca_files: %s; DER files are needed" % e)

    async def prepare(self, host, port):
        """Dial for the next `dial` to the same host, before code is loaded that leaves no memory for dialing.
        NetError."""
        self.forget_prepared()
        self.prepared = host, port, await self.dial(host, port)

    def not_freed(self):
        """Return the LinkError for unloaded code whose memory is not free. It counts as a shortage of memory."""
        self.memory_failures += 1
        self.new_memory_failure = 1
        return LinkError("memory: unloaded code is still in use")

    def forget_prepared(self):
        """Close a prepared connection that was not used. Never raises."""
        prepared, self.prepared = self.prepared, None
        if prepared:
            prepared[2].close()

    async def dial(self, host, port, tls=True):
        """Return a Stream, see netio.sockets.Dialer. NetError."""
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
        """Record that a packet was received from any host."""
        self.unanswered = 0
        self.known = True

    def explain(self, error):
        """Return a NetError as text, see links.explaining."""
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
        """Return whether there is memory for a second TLS connection. `open_now`: how many are open, 0 or 1."""
        free = self.board.idf_free()
        return free is None or free >= _HANDSHAKE + _CONNECTION * (1 - open_now) + _CONNECTION // 4

    def heap_free(self):
        """Return the free bytes of the Python heap, without growing it."""
        return self.board.heap()[1]

    async def keep_time(self, network, gateway=None):
        """See `keep` of links.time_query."""
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
