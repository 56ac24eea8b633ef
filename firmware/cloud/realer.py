"""Requests and responses of the Realer API: OAuth 2.0 client credentials, and iot/v1 as of the B1 generation.

Sources: Realer API, sections 3 to 5 and 14 rows 1 to 3; RFC 6749 section 4.4. Pure. Whatever shape an answer has, it
becomes a result or a LinkError, never another exception; words that the documentation leaves open stand once.
"""

import json

from firmware.cloud.fields import error_text, get, get_scalar
from firmware.cloud.models import event
from firmware.cloud.responses import items, message
from firmware.core import verdict as v
from firmware.core.nouns import Command, Desired

_RESULTS = {
    "created": v.OK,
    "idempotent": v.OK,
    "conflict": v.CONFLICT,
    "message_conflict": v.CONFLICT,
    "rate_limited": v.RETRY,
    "service_unavailable": v.RETRY,
}
"""What the error type, or else the status, of an item in a batch reply means. Any other word: refused for good."""


def request(cfg, token, what, text):
    """The arguments of `Client.request`. `what`: under the device's path, as commands or feed-data/batches, or a path
    of its own; `text`: JSON to post, "" to get."""
    if what[0] != "/":
        what = "/iot/v1/devices/%s/%s" % (cfg["device_id"], what)
    return message("POST" if text else "GET", what, ("Authorization", "Bearer " + token.reveal()), text)


def commands(body):
    """(rows, desired values) of GET commands: the catalog's `value` is the desired state (section 4). LinkError."""
    rows = []
    wanted = []
    for row, item in items(body, "commands"):
        rows.append(Command(row.id, row.kind, row.pin_port, None, None, None, row.error))
        if not row.error and "value" in item:
            wanted.append(Desired(row.id, get_scalar(item, "value"), None, None, None))
    return rows, wanted


def sensors(body):
    """Rows of GET sensors. LinkError."""
    return [row for row, _ in items(body, "sensors")]


def feed_item(report):
    """The JSON text of one report (section 5.2)."""
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
        found[get_scalar(item, "message_id")] = _RESULTS.get(word, v.DROP), error_text(item)
    return found
