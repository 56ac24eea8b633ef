"""The Realer cloud of whatever generation: the newest that the server answers to.

A link (docs/ARCHITECTURE.md, "Link") around the one that fits. Between the generations of iot/v1 a `Runtime` decides;
where there is no OAuth at all, it is Realino, until that one is not there either. Refuses everything else.
"""

from firmware.core.errors import AuthError
from firmware.links.bootstrap import Runtime
from firmware.links.realino import Realino


class RealerAuto:
    """`link`: a RealerHttps or RealerMqtt; the other parameters are those it was made with."""

    def __init__(self, link, cfg, net, clock, rng, say):
        Runtime(link, False)
        self.parts = cfg, net, clock, rng, say
        self.link = self.iot = link
        self.lease = link.lease

    def __getattr__(self, name):
        return getattr(self.link, name)

    def alive(self):
        pass

    async def open(self):
        """See Link. A server without OAuth is asked once more as Realino."""
        self.link.alive = self.alive
        try:
            return await self.link.open()
        except AuthError as e:
            other = self.iot if self.link != self.iot else self.realino() if self.iot.missing else None
            if not other:
                raise
            self.link.close()
            self.link = other
            self.lease.end(str(e))
            if other == self.iot:
                raise
            other.alive = self.alive
            return await other.open()

    def realino(self):
        self.parts[-1]("warning", "no OAuth here; trying Realino")
        link = Realino(*self.parts)
        link.lease = self.lease
        return link
