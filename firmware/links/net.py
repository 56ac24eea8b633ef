"""The network as links need it: names, verified TLS connections, the time of day. Built once, from the config."""

from dnsstub.resolver import Resolver
from firmware.core.errors import ConfigError, LinkError
from netio.errors import NetError
from netio.sockets import Dialer
from sntp.client import query


class Net:
    """`dhcp_dns()`: the name servers the network told; `floor_s`: unix seconds before which no time is believed.
    ConfigError when a CA file cannot be used."""

    def __init__(self, config, dhcp_dns, clock, rng, floor_s):
        wifi = config["wifi"]
        fixed = wifi and wifi["dns"]
        resolver = Resolver(clock, lambda: fixed or dhcp_dns(), rng)
        self.query = resolver, clock, rng, floor_s
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
        try:
            return await query(server, *self.query)
        except NetError as e:
            raise LinkError(str(e))
