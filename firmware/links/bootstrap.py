"""What the newest generation of iot/v1 adds to a link: the runtime descriptor, and pending desired states in its place.

Owns the descriptor: when it is read, how long it counts, which protocols it allows. A link is made of the generation
before it and given a `Runtime`, which answers for its `open` and `poll`. In memory only: a descriptor counts while both
revisions are what they were, and is read again with every opening, every hour, when desired states tell of another
revision, and when a report was refused. Sources: Realer API, sections 5.4, 5.5 and 14 rows 4, 5, 12.
"""

from micropython import const

from firmware.cloud import bootstrap as words
from firmware.cloud import realer
from firmware.core import verdict as v
from firmware.core.errors import AuthError, LinkError
from firmware.core.nouns import Catalog
from firmware.core.timing import Timer

_AGAIN_MS = const(3600000)
_LONGEST_S = const(300)  # whatever the descriptor says


class Runtime:
    """`link`: a RealerHttps or RealerMqtt. Unless `strict`, a cloud without a bootstrap is asked as the generation
    before it, and for its bootstrap every hour."""

    def __init__(self, link, strict):
        self.link = link
        self.strict = strict
        self.open_link = link.open
        self.poll_values = link.poll
        link.open = self.open
        link.poll = self.poll
        if strict:
            link.scopes = link.scopes + " " + words.SCOPE if link.scopes else words.SCOPES
        self.known = None  # the Descriptor; None: there is no bootstrap, or nobody asked yet
        self.catalog = None
        self.told = None  # the revisions that were told last
        self.left = 0
        self.fresh = False  # the descriptor was read in this opening
        self.due = Timer(link.clock.ms())

    async def open(self):
        """See RealerHttps. A rate limit is waited out."""
        self.fresh = False
        if self.known or self.due.passed(self.link.clock.ms()):
            while not self.fresh:
                self.fresh = await self.describe()
        try:
            return await self.open_link()
        except AuthError:
            # Perhaps the cloud is of another generation now.
            self.due = Timer(self.link.clock.ms())
            raise

    async def poll(self):
        """See RealerHttps; of commands of which nothing is pending that is said."""
        link = self.link
        stale = self.known and link.rows is None and not self.fresh
        self.fresh = False
        if (stale or self.due.passed(link.clock.ms())) and not await self.describe():
            return None
        if not self.known:
            return await self.poll_values()
        link.rows = self.catalog.commands
        if "https" not in link.protocols:
            if link.held:
                return []
            raise link.refused(v.FORBIDDEN, "HTTPS is not among the available protocols")
        body = await link.read("desired-states")
        if body is None:
            return None
        told = words.revisions(body)
        if told != self.told and told != self.known.revisions and told != ("", ""):
            await self.describe()
        self.told = told
        wanted, left = words.desired(body, self.catalog.commands)
        if left > self.left:
            link.say("warning", "%d desired states left alone: no identity, or an unknown command" % left)
        self.left = left
        return wanted

    # -- the steps --

    async def describe(self):
        """Read the descriptor; False when the rate limit is not over yet."""
        link = self.link
        found, body, said = await link.exchange("bootstrap")
        if found == v.SLOW:
            return False
        if found == v.OK:
            await self.adopt(words.descriptor(body))
        elif found != v.GONE:
            raise LinkError(said)
        elif self.strict:
            raise link.refused(found, said)
        else:
            self.known = None
            link.protocols = "https", "mqtt"
        self.due = Timer(link.clock.ms(), _AGAIN_MS)
        return True

    async def adopt(self, found):
        link = self.link
        if not self.known or found.revisions != self.known.revisions or "" in found.revisions:
            catalog = found.catalog or await self.granular()
            if catalog != self.catalog:
                self.catalog = catalog
        self.known = found
        link.catalog = self.catalog
        link.rows = self.catalog.commands
        link.protocols = [name for name in ("https", "mqtt") if words.offers(found.protocols, name)]
        link.cadence.obey(link.clock.ms(), int(min(found.least_s, _LONGEST_S) * 1000))
        link.retry_s = int(min(found.retry_s, _LONGEST_S))
        if link.scopes and words.SCOPE not in link.scopes:
            link.scopes += " " + words.SCOPE
            link.token = None
        transport = link.cfg["transport"]
        if not link.protocols or (transport != "auto" and transport not in link.protocols):
            raise link.refused(
                v.FORBIDDEN, "transport %s, available protocols: %s" % (transport, ", ".join(found.protocols))
            )

    async def granular(self):
        """The catalog where the descriptor has none."""
        rows, _ = realer.commands(await self.link.read("commands"))
        return Catalog(rows, realer.sensors(await self.link.read("sensors")))
