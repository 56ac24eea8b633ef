"""The network as links need it: names, verified TLS connections, the time of day. Built once, from the configuration."""

from dnsstub.resolver import Resolver
from firmware.core.errors import ConfigError, LinkError
from netio.errors import NetError
from netio.sockets import Dialer
from sntp.client import query


class Net:
    """`dhcp_dns()`: the name servers the network told; `floor_s`: unix seconds before which no time is believed.
    ConfigError when a CA file cannot be used."""

    def __init__(self, config, dhcp_dns, clock, rng, floor_s):
        fixed = config["wifi"]["dns"] if config["wifi"] else []
        self._clock = clock
        self._rng = rng
        self._floor_s = floor_s
        self._servers = config["time"]["servers"]
        self._next = 0
        self._resolver = Resolver(clock, lambda: fixed or dhcp_dns(), rng)
        try:
            self.dialer = Dialer(clock, self._resolver, [_read(path) for path in config["cloud"]["ca_files"]])
        except (OSError, ValueError) as e:
            raise ConfigError(
                "cloud.ca_files: a certificate cannot be used (%s); it has to be a DER file" % e
            )

    async def ask_time(self):
        """Unix seconds from one of the configured servers, another one each time. LinkError."""
        server = self._servers[self._next % len(self._servers)]
        self._next += 1
        try:
            return await query(server, self._resolver, self._clock, self._rng, self._floor_s)
        except NetError as e:
            raise LinkError(str(e))


def _read(path):
    with open(path, "rb") as f:
        return f.read()
