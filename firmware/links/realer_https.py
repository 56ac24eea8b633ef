"""The Realer cloud over HTTPS polling: catalogs, desired values and feed data on one kept-alive connection.

A link (docs/ARCHITECTURE.md, "Link"): after an error it is closed and can be opened again; only LinkError and AuthError
escape. Authorization and cadence are `realer_api`'s, the words of the API are `cloud.iot_v1`'s.
"""

from micropython import const

from firmware.cloud import realer
from firmware.core import verdict as v
from firmware.core.errors import LinkError
from firmware.core.nouns import Catalog

_MOST_ITEMS = const(20)
_MOST_BYTES = const(4096)
_REST_MS = const(20000)  # a verb returns at least this often when there is nothing to do, to show life


class RealerHttps:
    """`api`: a RealerApi; `say(level, text)`: the log. `catalog` is replaced when the cloud changes it."""

    def __init__(self, api, clock, say):
        self._api = api
        self._clock = clock
        self._say = say
        self._first = None
        self._batch = _MOST_ITEMS
        self._stale = False
        self.lease = api.lease
        self.catalog = None

    def __repr__(self):
        return "RealerHttps(%r)" % self.lease

    async def open(self):
        """Authorize and read the catalog; the desired values that came with it wait for `next_desired`."""
        self._batch = _MOST_ITEMS
        rows, self._first = realer.commands(
            self._opened(*await self._api.exchange("GET", "commands", None, True))
        )
        self.catalog = await self._with_sensors(rows)
        return self.catalog

    async def next_desired(self):
        """Desired values as of now, after waiting for the next poll; None when there was nothing to hear yet."""
        if self._first is not None:
            wanted, self._first = self._first, None
            return wanted
        if not await self._slot(self._api.cadence.poll_wait_ms):
            return None
        found, body, status = await self._api.exchange("GET", "commands", None, True)
        if found == v.SLOW:
            return None
        rows, wanted = realer.commands(self._opened(found, body, status))
        if self._stale or rows != self.catalog.commands:
            self.catalog = await self._with_sensors(rows)
        return wanted

    async def send(self, reports):
        """Deliver some of `reports`, which are ready to go, in one request. Returns (message_id, verdict) for each the
        cloud answered for; the others have to be offered again."""
        if not await self._slot(self._api.cadence.report_wait_ms):
            return ()
        items = self._fitting(reports)
        if len(items) == 1:
            found, body, status = await self._api.exchange("POST", "feed-data", items[0])
            return self._results(
                reports[:1], {reports[0].message_id: (found, realer.complaint(status, body))}
            )
        found, body, status = await self._api.exchange("POST", "feed-data/batches", realer.batch(items))
        answers = realer.batch_results(body) if found == v.OK else {}
        if not answers and found != v.SLOW:
            # Smaller, until the items can be told apart; a server may have no batches, or not tell of each item.
            self._batch = len(items) // 2 if found == v.SHRINK else 1
            self._say(
                "warning",
                "batch not taken, next at most %d: %s" % (self._batch, realer.complaint(status, body)),
            )
        return self._results(reports[: len(items)], answers)

    def close(self):
        self._api.close()

    async def shutdown(self):
        await self._api.shutdown()

    async def _slot(self, wait_ms):
        """Wait for a slot, but not longer than `_REST_MS`: whether it has come."""
        await self._clock.sleep_ms(min(wait_ms(self._clock.ms()), _REST_MS))
        return not wait_ms(self._clock.ms())

    async def _with_sensors(self, rows):
        body = self._opened(*await self._api.exchange("GET", "sensors"))
        self._stale = False
        return Catalog(rows, realer.sensors(body))

    def _opened(self, found, body, status):
        """The JSON of a catalog reply, or the error it amounts to."""
        if found == v.OK:
            return body
        if found == v.GONE:
            raise self._api.refused("forbidden", "the cloud knows no such device: check cloud.device_id")
        raise LinkError("catalog refused: %s" % realer.complaint(status, body))

    def _fitting(self, reports):
        """The first of `reports` as JSON texts, as many as one request may carry."""
        items = []
        size = 0
        for report in reports[: self._batch]:
            text = realer.feed_item(report)
            size += len(text) + 1
            if items and size > _MOST_BYTES:
                break
            items.append(text)
        return items

    def _results(self, reports, answers):
        results = []
        for report in reports:
            found, complaint = answers.get(report.message_id, (v.RETRY, ""))
            if found in (v.RETRY, v.SLOW):
                continue
            if found != v.OK:
                self._say("warning", "%s %s not accepted: %s" % (report.source, report.id, complaint))
                self._stale = self._stale or found in (v.GONE, v.INVALID)
            results.append((report.message_id, found))
        return results
