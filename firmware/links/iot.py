"""The source of iot/v1 as of generation B1: OAuth 2.0 client credentials, catalogs, desired values, feed data.

Sources: Realer API, sections 3 to 5.
"""

from micropython import const

from firmware.cloud import realer
from firmware.core import verdict as v
from firmware.core.nouns import Catalog
from units.loader import Unit

_MOST_ITEMS = const(20)  # at most 4.1 KB of JSON in this generation


class Iot:
    """See `links.https` for the verbs."""

    room = _MOST_ITEMS  # reports in one request, as far as memory allows

    def __init__(self, http):
        self.http = http
        self.account = http.account

    def memo(self):
        """Nothing."""

    async def begin(self):
        """There is nothing to find out."""

    def scopes(self):
        if self.account.plain or self.account.cfg["transport"] == "https":
            return ""
        unit, login = self.loaded()
        scopes = login.scopes()
        unit.drop()
        return scopes

    async def login(self, scopes):
        unit, login = self.loaded()
        try:
            return await login.token(scopes)
        finally:
            unit.drop()

    async def revoke(self, token):
        unit, login = self.loaded()
        try:
            await login.revoke(token)
        finally:
            unit.drop()

    def loaded(self):
        """(unit, Login): loaded for one use."""
        unit = Unit(_login, self.account.clock.sleep_ms)
        return unit, unit.load()(self.http)

    def request(self, what, text):
        return realer.request(self.account.cfg, self.account.token, what, text)

    async def open(self):
        """Authorize and read the catalog; the desired values that came with it wait in the account. A rate limit is
        waited out here rather than answered with another handshake."""
        account = self.account
        account.rows = account.desired = None
        while account.desired is None:
            account.desired = await self.poll()

    async def poll(self):
        account = self.account
        body = await self.http.read("commands")
        if body is None:
            return None
        rows, desired = realer.commands(body)
        if rows != account.rows:
            account.catalog = Catalog(rows, realer.sensors(await self.http.read("sensors")))
            account.rows = rows
        return desired

    async def send(self, reports):
        """Deliver some of `reports`, which are ready to go, in one request. Returns (message_id, outcome) for each the
        cloud answered for; the others have to be offered again."""
        http = self.http
        limiter = http.limiter
        done = []
        if not await http.slot(limiter.report_wait_ms):
            return done
        items = [realer.feed_item(report) for report in reports[: min(limiter.most, self.room)]]
        self.room = len(items) // 2 or 1  # should this end in an error: it may be that memory is short
        if len(items) > 1:
            outcome, body, message = await http.exchange("feed-data/batches", realer.batch(items))
            answers = realer.results(body) if outcome == v.OK else {}
        else:
            outcome, _, message = await http.exchange("feed-data", items[0])
            answers = {reports[0].message_id: (outcome, message)}
        self.room = _MOST_ITEMS
        for report in reports[: len(items)]:
            found, why = answers.get(report.message_id, (v.RETRY, ""))
            if found in (v.RETRY, v.SLOW):
                continue
            if found != v.OK:
                self.account.log("warning", "%s %s not accepted: %s" % (report.source, report.id, why))
                self.account.rows = None
            done.append((report.message_id, found))
        if len(items) > 1 and not done and outcome != v.SLOW:
            # Smaller, until the items can be told apart; a server may have no batches, or not tell of each item.
            limiter.most = most = len(items) // 2 if outcome == v.SHRINK else 1
            self.account.log("warning", "batches of %d: %s" % (most, message))
        return done


def _login():
    from firmware.links.login import Login

    return Login
