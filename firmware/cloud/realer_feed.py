"""Feed data of iot/v1 over HTTPS: single items, batches, and the result of each item in a batch response.

Source: docs/protocol.md, Reports over HTTPS. Pure.
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
"""The outcome by the error type of an item in a batch response, or by its status if it has no error. Any other value:
refused permanently."""


def feed_item(report):
    """Return the JSON text of one Report."""
    item = event(report)
    item[report.source + "_id"] = report.id
    return json.dumps(item)


def batch(items):
    """Return the JSON text of a batch. `items`: texts of `feed_item`."""
    return '{"items":[%s]}' % ",".join(items)


def results(body):
    """Return {message_id: (outcome, text for the log)} of a batch response. A report that it lacks was not stored."""
    found = {}
    listed = get(body, "results")
    for item in listed if isinstance(listed, list) else ():
        word = (
            get_scalar(get(item, "error"), "type") or get_scalar(item, "error") or get_scalar(item, "status")
        )
        found[get_scalar(item, "message_id")] = _RESULTS.get(word, outcomes.DROP), error_text(item)
    return found
