"""What a link of the Realer cloud knows of its cloud and keeps while the code that talks to it is not in memory.

Values only, and no instance of a class that is unloaded: the halves of a link (docs/ARCHITECTURE.md, "Halves of a
link") read and write these attributes while they are in memory.
"""

from micropython import const

from firmware.core.safety import Lease
from firmware.core.timing import Backoff

_BUFFER = const(1024)  # the largest MQTT packet, too: one with a desired state has 300 bytes


class Account:
    """`cfg`: the `cloud` section of the configuration; `net`: see `links.net`; `rng()`: 32 random bits.

    | attribute       | what it holds                                                                              |
    |-----------------|--------------------------------------------------------------------------------------------|
    | `lease`         | the authorization; only what the cloud answers changes it                                   |
    | `token`         | a Secret, or None when a new one is needed; `asked_scopes`: what it was asked for with      |
    | `no_scopes`     | tokens are asked for without scopes, because asking for them was refused                    |
    | `no_oauth`      | the server has no OAuth endpoint                                                            |
    | `realino`       | the cloud is talked to as the older Realino                                                 |
    | `catalog`       | Catalog, replaced when the cloud changes it; `rows`: its commands as read last, or None      |
    | `desired`       | desired values that were read and not handed over yet, or None                              |
    | `protocols`     | what the cloud lets this device use                                                         |
    | `retry_s`       | least wait after a failure, where the cloud gives one                                       |
    | `view`          | buffer to receive into, of HTTPS and, where only one connection fits, of MQTT               |
    | `feed()`        | feeds the watchdog, at least every 20 s while a verb of the link takes long; set by `watch`   |
    | `pacing`, `memo`| what the rate limiter and the generation's source need again when they are loaded again     |
    """

    def __init__(self, cfg, net, clock, rng, log):
        self.cfg = cfg
        self.net = net
        self.clock = clock
        self.rng = rng
        self.log = log
        self.lease = Lease(clock.ms())
        self.renewals = Backoff(5000, 60000)
        self.token = self.catalog = self.rows = self.desired = self.pacing = self.memo = None
        self.asked_scopes = ""
        # There all the time: a piece that large may be missing later.
        self.view = memoryview(bytearray(_BUFFER))
        self.no_scopes = self.no_oauth = self.on_mqtt = False
        self.realino = cfg["api"] == "realino"
        self.protocols = ("https", "mqtt")
        self.retry_s = 0
        self.feed = lambda: None

    def reveal(self):
        """What the log has to mask: a server may echo the token."""
        return self.token.reveal() if self.token else "\n"
