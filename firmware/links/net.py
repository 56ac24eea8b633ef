"""The network as links need it: names, verified TLS connections, the time of day. Built once, from the config."""

from micropython import const

from dnsstub.resolver import Resolver
from firmware.core.errors import ConfigError, LinkError
from firmware.core.timing import Timer
from netio.errors import NetError
from netio.sockets import Dialer
from sntp.client import query

_DOUBT_MS = const(86400000)


class Net:
    """`dhcp_dns()`: the name servers the network told; `floor_s`: unix seconds before which no time is believed;
    what is set later counts for a day only, so that a false time, once learned, cannot lock the device out for good.
    ConfigError when a CA file cannot be used."""

    def __init__(self, config, dhcp_dns, clock, rng, floor_s):
        wifi = config["wifi"]
        fixed = wifi and wifi["dns"]
        resolver = Resolver(clock, lambda: fixed or dhcp_dns(), rng)
        self.query = resolver, clock, rng
        self.floor_s = self.build_s = floor_s
        self.doubt = Timer(clock.ms(), _DOUBT_MS)
        self.servers = config["time"]["servers"]
        ders = []
        try:
            for path in config["cloud"]["ca_files"]:
                with open(path, "rb") as f:
                    ders.append(f.read())
            self.dialer = Dialer(clock, resolver, ders)
        except (OSError, ValueError) as e:
            raise ConfigError("cloud.ca_files: %s; DER files are needed" % e)

    async def ask_time(self):
        """Unix seconds from one of the configured servers, another one each time. LinkError."""
        server = self.servers.pop(0)
        self.servers.append(server)
        if self.doubt.passed(self.query[1].ms()):
            self.floor_s = self.build_s
        try:
            return await query(server, *self.query, self.floor_s)
        except NetError as e:
            raise LinkError(str(e))
