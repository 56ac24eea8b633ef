"""The words of iot/v1 as of the B1 generation: catalogs, feed data, results (Realer API, sections 4, 5 and 14 rows 1 to 3).

Pure. JSON arrives parsed; anything of the wrong shape becomes a LinkError or an item with `error`, never an exception of
another kind. Names that the documentation leaves open stand once, at the top.
"""

import json

from firmware.core.errors import LinkError
from firmware.core.isotime import iso
from firmware.core.nouns import Command, Desired, Sensor
from firmware.core.verdict import CONFLICT, DROP, GONE, INVALID, OK, RETRY, SLOW, verdict

BATCH_KEY = "items"
RESULT_KEYS = ("results", "items")
DONE = ("created", "idempotent", "accepted", "replayed", "ok")

_TYPES = {
    "conflict": CONFLICT,
    "message_conflict": CONFLICT,
    "not_found": GONE,
    "resource_not_found": GONE,
    "validation_failed": INVALID,
    "rate_limited": SLOW,
    "service_unavailable": RETRY,
}


def path(device_id, what):
    """`what`: commands, sensors, feed-data or feed-data/batches."""
    return "/iot/v1/devices/%s/%s" % (device_id, what)


def code_of(body):
    """The application code of a reply, None when it has none."""
    code = body.get("code") if isinstance(body, dict) else None
    return code if isinstance(code, int) and code is not True and code is not False else None


def complaint(status, body):
    """One line for the log about an error reply: numbers, type and the names of the fields found wrong."""
    error = body.get("error") if isinstance(body, dict) else None
    text = "HTTP %d code %s" % (status, code_of(body))
    if isinstance(error, dict):
        text += " " + str(error.get("type", ""))[:40]
        if isinstance(error.get("details"), dict):
            for field, reasons in error["details"].items():
                text += "; %s %s" % (field[:30], str(reasons)[:80])
    elif isinstance(error, str):
        text += " " + error[:60]
    return text[:200]


def commands(body):
    """(rows, desired values) of GET commands. In this generation the catalog's `value` is the desired state."""
    rows = []
    wanted = []
    for item in _items(body, "commands"):
        error = _error(item)
        row = Command(item.get("id"), _text(item, "kind"), _text(item, "pin_port"), None, None, None, error)
        rows.append(row)
        if error is None and "value" in item:
            wanted.append(Desired(row.id, item["value"], None, None, None))
    return tuple(rows), wanted


def sensors(body):
    """Rows of GET sensors."""
    return tuple(
        Sensor(item.get("id"), _text(item, "kind"), _text(item, "pin_port"), _error(item))
        for item in _items(body, "sensors")
    )


def _items(body, key):
    items = body.get(key) if isinstance(body, dict) else None
    if not isinstance(items, list):
        raise LinkError("reply without a list of %s" % key)
    return [item if isinstance(item, dict) else {"error": "not an object"} for item in items]


def _error(item):
    """Why this item cannot be used, None when it can (section 4; section 14 row 30)."""
    if "error" in item:
        return str(item["error"])[:80]
    key = item.get("id")
    if key is True or key is False or not isinstance(key, (int, str)):
        return "no usable id"
    return None if _text(item, "pin_port") else "no pin_port"


def _text(item, key):
    """An opaque text; a bare number, which is how an integer port may be written, counts as its digits."""
    value = item.get(key)
    if isinstance(value, int) and value is not True and value is not False:
        return str(value)
    return value if isinstance(value, str) else ""


def feed_item(report):
    """The JSON object of one report (section 5.2)."""
    item = {
        report.source + "_id": report.id,
        "value": report.value,
        "value_received_at": iso(report.at),
        "message_id": report.message_id,
    }
    if report.desired_id is not None:
        item["desired_id"] = report.desired_id
        item["report_status"] = report.status
        if report.sequence is not None:
            item["sequence_number"] = report.sequence
    return json.dumps(item)


def batch(items):
    """The body of a batch of feed items that are JSON text already."""
    return '{"%s":[%s]}' % (BATCH_KEY, ",".join(items))


def batch_results(body):
    """{message_id: (verdict, complaint)} of a batch reply; an item that is missing was not stored."""
    results = {}
    for key in RESULT_KEYS:
        found = body.get(key) if isinstance(body, dict) else None
        for item in found if isinstance(found, list) else ():
            if isinstance(item, dict) and isinstance(item.get("message_id"), str):
                results[item["message_id"]] = (_item_verdict(item), complaint(200, item))
    return results


def _item_verdict(item):
    if item.get("status") in DONE:
        return OK
    if code_of(item) is not None:
        return verdict(400, code_of(item))
    error = item.get("error")
    kind = error.get("type") if isinstance(error, dict) else error
    return _TYPES.get(kind, DROP) if isinstance(kind, str) else DROP
