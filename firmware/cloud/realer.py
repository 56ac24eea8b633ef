"""The words of the Realer API: OAuth 2.0 client credentials, and iot/v1 as of the B1 generation.

Sources: Realer API, sections 3 to 5 and 14 rows 1 to 3; RFC 6749 sections 4.4 and 5. Pure: JSON arrives parsed, and anything
of the wrong shape becomes a LinkError or an item with `error`, never an exception of another kind. Names that the
documentation leaves open stand once. The client secret passes through `basic` and nowhere else.
"""

import binascii
import json
from collections import namedtuple

from firmware.core.errors import AuthError, LinkError
from firmware.core.nouns import Command, Desired, Secret, Sensor, iso, number
from firmware.core.verdict import CONFLICT, DROP, GONE, INVALID, OK, RETRY, SLOW, verdict

TOKEN_PATH = "/oauth/token"
REVOKE_PATH = "/oauth/revoke"
FORM = "application/x-www-form-urlencoded"
GRANT_BODY = b"grant_type=client_credentials"

Grant = namedtuple("Grant", ("token", "expires_s", "renew_s", "scope"))
"""`token` is a Secret; `renew_s` 0 when the server gave no hint."""


def basic(client_id, secret):
    """The Authorization value for `client_id` (text) and `secret` (Secret)."""
    pair = ("%s:%s" % (client_id, secret.reveal())).encode()
    return "Basic " + binascii.b2a_base64(pair).decode().strip()


def bearer(token):
    return "Bearer " + token.reveal()


def revoke_body(token):
    return b"token=" + token.reveal().encode()


def parse_token(status, body, retry_after_s):
    """Grant of a token reply, `body` being its JSON (None when it had none). Raises AuthError when the keys are
    refused and LinkError when it is worth trying again."""
    if status == 200:
        return _grant(body)
    error = body.get("error") if isinstance(body, dict) else None
    if status == 401 or error == "invalid_client":
        raise AuthError("invalid_client", "the cloud refuses client_id or client_secret")
    if status == 402:
        raise AuthError("subscription", "subscription inactive")
    if status == 429 or status >= 500 or status < 400:
        raise LinkError("token request answered with HTTP %d" % status, retry_after_s)
    raise AuthError("forbidden", "token request refused: HTTP %d %s" % (status, _word(error)))


def _grant(body):
    if not isinstance(body, dict):
        raise LinkError("token reply is not a JSON object")
    token = body.get("access_token")
    expires = number(body.get("expires_in"))
    if not isinstance(token, str) or not _is_token(token):
        raise LinkError("token reply without a usable access_token")
    if str(body.get("token_type", "Bearer")).lower() != "bearer":
        raise LinkError("token reply of a type other than Bearer")
    if expires is None or expires < 1:
        raise LinkError("token reply without a usable expires_in")
    return Grant(
        Secret(token), int(expires), int(number(body.get("renew_after")) or 0), str(body.get("scope", ""))
    )


def _is_token(text):
    """RFC 6750 section 2.1, widened to visible ASCII: whatever else could break out of the header."""
    for char in text:
        if not "!" <= char <= "~":
            return False
    return 0 < len(text) <= 2048


def _word(error):
    """An error name is echoed only when it looks like one."""
    return error if isinstance(error, str) and error.replace("_", "").isalpha() and len(error) < 40 else ""


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
