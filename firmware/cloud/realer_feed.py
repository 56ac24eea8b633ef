"""Feed data of iot/v1 over HTTPS: single items, batches and the result of each item in a batch reply.

Source: docs/protocol.md, Reports over HTTPS. Pure. A name that the documentation leaves open is written in one
place.
"""

import json

from firmware.cloud.fields import error_text, get, get_scalar
from firmware.cloud.payloads import event
from firmware.core import outcomes

_RESULTS = {
    "created": outcomes.OK,
    "idempotent": outcomes.OK,
    "conflict": outcomes.CONFLICT,
    "message_conflict": outcomes.CONFLICT,
    "rate_limited": outcomes.RETRY,
    "service_unavailable": outcomes.RETRY,
}
"""What the error type, or else the status, of an item in a batch reply means. Any other word: refused permanently."""


def feed_item(report):
    """The JSON text of one report."""
    item = event(report)
    item[report.source + "_id"] = report.id
    return json.dumps(item)


def batch(items):
    """The body of a batch of feed items that are JSON text already."""
    return '{"items":[%s]}' % ",".join(items)


def results(body):
    """{message_id: (outcome, message for the log)} of a batch reply; an item that is missing was not stored."""
    found = {}
    listed = get(body, "results")
    for item in listed if isinstance(listed, list) else ():
        word = (
            get_scalar(get(item, "error"), "type") or get_scalar(item, "error") or get_scalar(item, "status")
        )
        found[get_scalar(item, "message_id")] = _RESULTS.get(word, outcomes.DROP), error_text(item)
    return found
