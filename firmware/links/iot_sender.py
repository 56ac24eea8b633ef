"""Sends reports of iot/v1 over HTTPS. In memory only while reports are waiting.

Source: docs/protocol.md, Reports over HTTPS.
"""

from firmware.cloud import realer_feed
from firmware.core import outcomes


class IotSender:
    """`http`: an Https."""

    def __init__(self, http):
        self.http = http
        self.account = http.account

    async def send(self, reports):
        """Send some of the complete `reports` in one request. Return (message_id, outcome) of each that the cloud has
        answered; the others must be passed again. LinkError, AuthError."""
        http = self.http
        limiter = http.limiter
        done = []
        items = [realer_feed.feed_item(report) for report in reports[: limiter.most]]
        if len(items) > 1:
            try:
                outcome, body, message = await http.exchange("feed-data/batches", realer_feed.batch(items))
            except MemoryError:
                limiter.batch(len(items), len(items) // 2)
                raise
            answers = realer_feed.results(body) if outcome == outcomes.OK else {}
        else:
            outcome, _, message = await http.exchange("feed-data", items[0])
            answers = {reports[0].message_id: (outcome, message)}
        for report in reports[: len(items)]:
            found, why = answers.get(report.message_id, (outcomes.RETRY, ""))
            if found in (outcomes.RETRY, outcomes.RATE_LIMITED):
                continue
            if found != outcomes.OK:
                self.account.log("warning", "%s %s not accepted: %s" % (report.source, report.id, why))
                self.account.rows = None
            done.append((report.message_id, found))
        if outcome != outcomes.RATE_LIMITED:
            most = len(items)
            if most > 1 and not done:
                # Smaller batches show which item is refused. Also for servers without batches or results of items.
                most = most // 2 if outcome == outcomes.TOO_LARGE else 1
                self.account.log("warning", "batches of %d: %s" % (most, message))
            limiter.batch(len(items), most)
        return done
