"""The source of Realino, the legacy generation: login, polled values and feeds.

Renewal is another login, and brings the catalog again. A feed has neither time nor identity: it is the present value.
So of several reports of one source only the newest is sent, and one whose answer was lost is sent again. Source:
docs/protocol.md, Realino.
"""

from micropython import const

from firmware.cloud import keys
from firmware.cloud import realino_dialect as dialect
from firmware.core import outcomes
from firmware.core.timing import Timer

_REPORT_BYTES = const(96)  # one with its share of the rest: two numbers of 20 characters at the most
_AGAIN_S = const(5)  # least time between two tries of anything: what the plan of this generation has
_LONGEST_S = const(3600)  # no plan keeps requests further apart


class Realino:
    """See `links.https` for the verbs. `device`: its id in this cloud, from the login; `in_body`: the form of login
    that this server takes; `seen`: where the poll before had the commands; `limit`: reports in one request, as the plan
    allows."""

    def __init__(self, http):
        self.http = http
        self.account = account = http.account
        account.retry_s = max(account.retry_s, _AGAIN_S)
        self.device, self.in_body, self.seen, self.limit = account.memo or (None, False, None, 1)

    def memo(self):
        return self.device, self.in_body, self.seen, self.limit

    def scopes(self):
        return ""

    async def begin(self):
        """Nothing."""

    async def open(self):
        """Log in if need be and poll once, so that a subscription that has ended shows before anything is relied on."""
        account = self.account
        account.desired = None
        while account.desired is None:
            account.desired = await self.poll()

    async def send(self, reports):
        """Send the newest of each source. Returns (message_id, outcome) for every report that this speaks for; the
        others have to be offered again."""
        http = self.http
        limiter = http.limiter
        sent = reports[: min(limiter.most, self.limit)]
        newest = {(report.source, report.id): report for report in sent}
        try:
            outcome, _, message = await http.exchange("feeds", dialect.feed(newest.values()))
        except MemoryError:
            limiter.batch(len(sent), len(sent) // 2 or 1)
            raise
        if outcome == outcomes.RATE_LIMITED:
            return []
        most = len(sent)
        if outcome != outcomes.OK:
            self.account.log("warning", "feed not taken: " + message)
            if most > 1:
                # Smaller, until the refused report is known.
                most = most // 2 if outcome == outcomes.TOO_LARGE else 1
            else:
                self.account.lease.renewal = Timer(self.account.clock.ms())
        limiter.batch(len(sent), most)
        return [(report.message_id, outcome) for report in sent] if most == len(sent) else []

    async def login(self, scopes):
        """In the form that the server took last, at first that of the documentation; in the other one where the answer
        reports that the keys are missing."""
        http = self.http
        account = self.account
        for _ in range(2):
            answer = await http.paced("login", dialect.login(account.cfg, self.in_body))
            if answer[0] == outcomes.OK or not dialect.keys_missing(answer[1]):
                break
            self.in_body = not self.in_body
            await http.clock.sleep_ms(_AGAIN_S * 1000)
        body = http.accept(*answer)
        device, catalog, interval_s, most_bytes, subscription = dialect.account(body)
        if subscription not in (None, "active"):
            raise http.refused(outcomes.PAYMENT_REQUIRED, "subscription_status %s" % subscription)
        granted = keys.grant(body)
        self.device = device
        http.limiter.obey(account.clock.ms(), int(min(interval_s, _LONGEST_S) * 1000))
        self.limit = max(int(most_bytes) // _REPORT_BYTES, 1)
        self.seen = dialect.places(catalog.commands)
        if catalog != account.catalog:
            account.catalog = catalog
        return granted

    async def revoke(self, token):
        """There is no way to."""

    def request(self, what, text):
        return dialect.request(self.device, self.account.token, what, text)

    async def poll(self):
        """Desired values as of now, None when the rate limit forbids to ask. Commands that are not where they were mean
        another login, which brings the catalog; one that fails is tried again like any renewal."""
        http = self.http
        body = await http.read("commands")
        if body is None:
            return None
        account = self.account
        seen, desired = dialect.commands(body, account.catalog.commands)
        if seen != self.seen:
            account.lease.renewal = Timer(account.clock.ms())
            await http.have_token()
            self.seen = seen
            desired = dialect.commands(body, account.catalog.commands)[1]
        return desired
