"""The state of a link to the Realer cloud, which stays in memory when the code that uses it is unloaded.

It never refers to an instance of a class that is unloaded. The halves of a link (docs/ARCHITECTURE.md, "Halves of a
link") read and write its attributes while they are in memory.
"""

from micropython import const

from firmware.core.safety import Lease

_BUFFER = const(1024)  # also the largest MQTT packet; one with a desired state has 300 bytes


class Account:
    """`cfg`: the `cloud` section of the configuration. `net`: see `links.net`. `rng()`: returns 32 random bits.

    | attribute        | what it holds                                                                             |
    |------------------|-------------------------------------------------------------------------------------------|
    | `lease`          | the authorization, a Lease                                                                |
    | `token`          | a Secret, or None when a new one is needed; `asked_scopes`: the scopes requested with it  |
    | `no_scopes`      | tokens are requested without scopes, because a request with scopes was refused            |
    | `no_oauth`       | the server has no OAuth endpoint                                                          |
    | `realino`        | the cloud is of the generation Realino                                                    |
    | `catalog`        | Catalog, replaced when the cloud changes it; `rows`: its commands as last read, or None   |
    | `desired`        | desired values that were read but not returned yet, or None                               |
    | `protocols`      | names of the protocols that the cloud offers this device                                  |
    | `retry_s`        | shortest wait after a failure, as the cloud's generation states it                        |
    | `view`           | receive buffer of HTTPS and, with one connection at a time, of MQTT                       |
    | `feed()`         | feeds the watchdog; called at least every 20 s while a verb takes long; set by `watch`    |
    | `pacing`, `memo` | state of the rate limiter and of the source, for when they are loaded again               |
    """

    def __init__(self, cfg, net, clock, rng, log):
        self.cfg = cfg
        self.net = net
        self.clock = clock
        self.rng = rng
        self.log = log
        self.lease = Lease(clock.ms())
        self.token = self.catalog = self.rows = self.desired = self.pacing = self.memo = None
        self.asked_scopes = ""
        # Allocated for good: later there may be no free block of this size.
        self.view = memoryview(bytearray(_BUFFER))
        self.no_scopes = self.no_oauth = self.on_mqtt = False
        self.realino = cfg["api"] == "realino"
        self.protocols = ("https", "mqtt")
        self.retry_s = 0
        self.feed = lambda: None

    def reveal(self):
        """Return the text that the log must mask: a server may echo the token."""
        return self.token.reveal() if self.token else "\n"
