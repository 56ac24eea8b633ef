"""The source of Realino, the legacy generation: login, polled values and feeds.

A token is renewed by another login, whose response has the catalog. A feed has neither time nor identity: it is the
present value. So only the newest of several reports of one source is sent, and it is sent again if the response was
lost. Source: docs/protocol.md, Realino.
"""

from micropython import const

from firmware.cloud import keys
from firmware.cloud import realino_dialect as dialect
from firmware.core import outcomes
from firmware.core.timing import Timer

_REPORT_BYTES = const(96)  # with its share of the rest; two numbers of at most 20 characters
_AGAIN_S = const(5)  # shortest time between two attempts of any kind, by the plan of this generation
_LONGEST_S = const(3600)  # limit of the plan's interval between requests


class Realino:
    """See `links.https` for the verbs. `device`: its id in this cloud, from the login. `in_body`: the server expects
    the keys in the body of the login. `seen`: the places of the commands in the last poll. `limit`: how many reports
    the plan allows in one request."""

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
        """Do nothing: every Realino offers the same."""

    async def open(self):
        """Log in if necessary and poll once, which shows at once whether the subscription has ended. LinkError,
        AuthError."""
        account = self.account
        account.desired = None
        while account.desired is None:
            account.desired = await self.poll()

    async def send(self, reports):
        """Send the newest report of each source. Return (message_id, outcome) of each report that is thereby answered;
        the others must be passed again. LinkError, AuthError."""
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
            self.account.log("warning", "feed refused: " + message)
            if most > 1:
                # Smaller requests show which report is refused.
                most = most // 2 if outcome == outcomes.TOO_LARGE else 1
            else:
                self.account.lease.renewal = Timer(self.account.clock.ms())
        limiter.batch(len(sent), most)
        return [(report.message_id, outcome) for report in sent] if most == len(sent) else []

    async def login(self, scopes):
        """Log in with the keys in the header, or in the body, whichever the server accepted last; if it answers that
        they are missing, try the other. LinkError, AuthError."""
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
        """Do nothing: this generation cannot revoke a token."""

    def request(self, what, text):
        return dialect.request(self.device, self.account.token, what, text)

    async def poll(self):
        """Return desired values, None if the rate limit allows no request. If a command has changed its place, log in
        again for the new catalog; if that fails, it is repeated like any renewal. LinkError, AuthError."""
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
