"""The Realer cloud over HTTPS polling: catalogs, desired values and feed data on one kept-alive connection.

A link (docs/ARCHITECTURE.md, "Link"): after an error it is closed and can be opened again; only LinkError and AuthError
escape. Authorization and cadence are `iot_api`'s, the words of the API are `cloud.realer`'s.
"""

from micropython import const

from firmware.cloud import realer
from firmware.core import verdict as v
from firmware.core.nouns import Catalog
from firmware.links.iot_api import IotApi

_MOST_ITEMS = const(20)  # at most 4.1 KB of JSON in this generation


class RealerHttps(IotApi):
    """`catalog` is replaced when the cloud changes it."""

    catalog = None
    rows = None  # the catalog's commands as read last; None: something in the catalog is not what it was
    protocols = ("https", "mqtt")  # what the cloud lets this device use
    held = False  # MQTT is the transport now
    room = _MOST_ITEMS  # reports in one request, as far as memory allows

    async def open(self):
        """Authorize and read the catalog; the desired values that came with it wait for `next_desired`. A rate limit is
        waited out here rather than answered with another handshake."""
        self.rows = self.first = None
        while self.first is None:
            self.first = await self.poll()
        return self.catalog

    async def send(self, reports):
        """Deliver some of `reports`, which are ready to go, in one request. Returns (message_id, verdict) for each the
        cloud answered for; the others have to be offered again."""
        done = []
        if not await self.slot(self.cadence.report_wait_ms):
            return done
        items = [realer.feed_item(report) for report in reports[: min(self.cadence.most, self.room)]]
        self.room = len(items) // 2 or 1  # should this end in an error: it may be that memory is short
        if len(items) > 1:
            outcome, body, words = await self.exchange("feed-data/batches", realer.batch(items))
            answers = realer.results(body) if outcome == v.OK else {}
        else:
            outcome, _, words = await self.exchange("feed-data", items[0])
            answers = {reports[0].message_id: (outcome, words)}
        self.room = _MOST_ITEMS
        for report in reports[: len(items)]:
            found, why = answers.get(report.message_id, (v.RETRY, ""))
            if found in (v.RETRY, v.SLOW):
                continue
            if found != v.OK:
                self.say("warning", "%s %s not accepted: %s" % (report.source, report.id, why))
                self.rows = None
            done.append((report.message_id, found))
        if len(items) > 1 and not done and outcome != v.SLOW:
            # Smaller, until the items can be told apart; a server may have no batches, or not tell of each item.
            self.cadence.most = most = len(items) // 2 if outcome == v.SHRINK else 1
            self.say("warning", "batches of %d: %s" % (most, words))
        return done

    # -- the steps --

    async def poll(self):
        """Desired values as of now, None when the rate limit forbids to ask."""
        body = await self.read("commands")
        if body is None:
            return None
        rows, wanted = realer.commands(body)
        if rows != self.rows:
            self.catalog = Catalog(rows, realer.sensors(await self.read("sensors")))
            self.rows = rows
        return wanted
