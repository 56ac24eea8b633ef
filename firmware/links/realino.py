"""The Realino cloud, the legacy generation: login, polled values and feeds on one kept-alive HTTPS connection.

A link (docs/ARCHITECTURE.md, "Link"): after an error it is closed and can be opened again; only LinkError and AuthError
escape. Renewal is another login, and brings the catalog anew. A feed has neither time nor identity: it tells what is,
so of several reports of one source the newest speaks for all, and one whose answer was lost is simply told again.
"""

from micropython import const

from firmware.cloud import realino
from firmware.cloud import words as w
from firmware.core import verdict as v
from firmware.core.timing import Timer
from firmware.links.realer_api import RealerApi

_REPORT_BYTES = const(96)  # one with its share of the rest: two numbers of 20 characters at the most
_LONGEST_S = const(3600)  # no plan keeps requests further apart


class Realino(RealerApi):
    """`catalog` is replaced when the cloud changes it."""

    catalog = None
    device = None  # its id in this cloud, told by the login
    in_body = False  # the form of login that this server takes
    seen = None  # where the poll before had the commands
    limit = 1  # reports in one request, as the plan allows

    async def open(self):
        """Log in if need be and poll once, so that a subscription that has ended shows before anything is relied on."""
        self.first = None
        while self.first is None:
            self.first = await self.poll()
        return self.catalog

    async def send(self, reports):
        """Tell the newest of each source. Returns (message_id, verdict) for every report that this speaks for; the
        others have to be offered again."""
        if not await self.slot(self.cadence.report_wait_ms):
            return []
        told = reports[: min(self.cadence.most, self.limit)]
        newest = {(report.source, report.id): report for report in told}
        found, _, words = await self.exchange("feeds", realino.feed(newest.values()))
        if found == v.SLOW:
            return []
        if found != v.OK:
            self.say("warning", "feed not taken: " + words)
            if len(told) > 1:
                # Smaller, until the report that is meant can be told from the others.
                self.cadence.most = len(told) // 2 if found == v.SHRINK else 1
                return []
            self.cadence.most = self.limit
            self.lease.renewal = Timer(self.clock.ms())
        return [(report.message_id, found) for report in told]

    # -- the steps --

    async def login(self):
        """In the form that the server took last, else in the other one."""
        for _ in range(2):
            answer = await self.paced("login", realino.login(self.cfg, self.in_body))
            if answer[0] not in (v.DROP, v.INVALID):
                break
            self.in_body = not self.in_body
        body = self.accept(*answer)
        device, catalog, interval_s, most_bytes, subscription = realino.account(body)
        if subscription not in (None, "active"):
            raise self.refused(v.UNPAID, "subscription_status %s" % subscription)
        granted = w.grant(body)
        self.device = device
        self.cadence.obey(self.clock.ms(), int(min(interval_s, _LONGEST_S) * 1000))
        self.limit = max(int(most_bytes) // _REPORT_BYTES, 1)
        self.seen = realino.places(catalog.commands)
        if catalog != self.catalog:
            self.catalog = catalog
        return granted

    def request(self, what, text):
        return realino.request(self.device, self.token, what, text)

    async def poll(self):
        """Desired values as of now, None when the rate limit forbids to ask. Commands that are not where they were mean
        another login, which brings the catalog; one that fails is tried again like any renewal."""
        body = await self.read("commands")
        if body is None:
            return None
        seen, wanted = realino.commands(body, self.catalog.commands)
        if seen != self.seen:
            await self.turn.acquire()
            try:
                self.lease.renewal = Timer(self.clock.ms())
                await self.authorize()
            finally:
                self.turn.release()
            self.seen = seen
            wanted = realino.commands(body, self.catalog.commands)[1]
        return wanted
