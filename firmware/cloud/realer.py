"""The words of the Realer API: OAuth 2.0 client credentials, and iot/v1 as of the B1 generation.

Sources: Realer API, sections 3 to 5, 8 and 14 rows 1 to 3 and 30; RFC 6749 section 4.4. Pure. Whatever shape an answer
has, it becomes a result or a LinkError, never another exception; words that the documentation leaves open stand once.
The client secret and the token leave through `oauth` and `request`, and nowhere else.
"""

import binascii
import json

from firmware.core import verdict as v
from firmware.core.errors import LinkError
from firmware.core.nouns import Command, Desired, Secret, Sensor, iso, number

REFUSALS = {
    v.REAUTH: "check cloud.client_id and client_secret",
    v.UNPAID: "subscription inactive",
    v.FORBIDDEN: "check cloud.device_id and the device's policy",
    v.GONE: "check cloud.device_id and the device's policy",
}
"""Verdicts that can end the authorization, and what a person can do about each."""

_RESULTS = {
    "created": v.OK,
    "idempotent": v.OK,
    "conflict": v.CONFLICT,
    "message_conflict": v.CONFLICT,
    "rate_limited": v.RETRY,
    "service_unavailable": v.RETRY,
}
"""What the error type, or else the status, of an item in a batch reply means. Any other word: refused for good."""


def oauth(cfg, revoke=None):
    """The arguments of `Client.request` that ask for a token, or take back the Secret `revoke` (sections 3.1, 3.2)."""
    keys = "%s:%s" % (cfg["client_id"], cfg["client_secret"].reveal())
    body = b"grant_type=client_credentials"
    if revoke:
        # Every byte is escaped, because a plus sign would arrive as a blank.
        body = b"token=%" + binascii.hexlify(revoke.reveal().encode(), "%")
    headers = (
        ("Authorization", "Basic " + binascii.b2a_base64(keys.encode()).decode().strip()),
        ("Content-Type", "application/x-www-form-urlencoded"),
    )
    return "POST", "/oauth/revoke" if revoke else "/oauth/token", headers, body


def request(cfg, token, what, text):
    """The arguments of `Client.request` under the device's path. `what`: commands, sensors, feed-data or
    feed-data/batches; `text`: JSON to post, "" to get."""
    headers = (
        ("Authorization", "Bearer " + token.reveal()),
        ("Content-Type" if text else "Accept", "application/json"),
    )
    target = "/iot/v1/devices/%s/%s" % (cfg["device_id"], what)
    return "POST" if text else "GET", target, headers, text.encode() if text else None


def judge(what, response):
    """(verdict, JSON, words for the log, seconds of Retry-After) of the answer to `what`. The JSON of OK is an object.

    LinkError: the server's trouble, worth trying again.
    """
    try:
        body = json.loads(response.body.decode())
    except (ValueError, MemoryError, RuntimeError):  # the latter two: nested deeper than there is room for
        body = None
    code = _member(body, "code")
    found = v.verdict(response.status, code if isinstance(code, int) else None)
    words = "%s: HTTP %d %s" % (what, response.status, _complaint(body))
    if found == v.RETRY or (found == v.OK and not isinstance(body, dict)):
        raise LinkError(words, response.retry_after_s)
    return found, body, words, response.retry_after_s


def grant(body):
    """(token as Secret, expires_s, renew_s) of a token reply; `renew_s` is 0 when there is no hint. LinkError."""
    token = _member(body, "access_token")
    expires_s = number(_member(body, "expires_in")) or 0
    # The token goes into a header, where only visible ASCII is safe.
    if not isinstance(token, str) or not token or min(token) < "!" or max(token) > "~" or expires_s < 1:
        raise LinkError("token reply without a usable access_token or expires_in")
    return Secret(token), int(expires_s), int(number(_member(body, "renew_after")) or 0)


def commands(body):
    """(rows, desired values) of GET commands: the catalog's `value` is the desired state (section 4). LinkError."""
    rows = []
    wanted = []
    for row, item in _items(body, "commands"):
        rows.append(Command(row.id, row.kind, row.pin_port, None, None, None, row.error))
        if not row.error and "value" in item:
            wanted.append(Desired(row.id, _plain(item, "value"), None, None, None))
    return rows, wanted


def sensors(body):
    """Rows of GET sensors. LinkError."""
    return [row for row, _ in _items(body, "sensors")]


def _items(body, key):
    items = _member(body, key)
    if not isinstance(items, list):
        raise LinkError("no list of " + key)
    found = []
    for item in items:
        name = _plain(item, "id")
        port = str(_plain(item, "pin_port"))
        error = _complaint(item)
        if name == "" or not port:
            error = error or "no id or no pin_port"
        found.append((Sensor(name, _plain(item, "kind"), port, error), item))
    return found


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
    return '{"items":[%s]}' % ",".join(items)


def results(body):
    """{message_id: (verdict, words for the log)} of a batch reply; an item that is missing was not stored."""
    found = {}
    items = _member(body, "results")
    for item in items if isinstance(items, list) else ():
        word = _plain(_member(item, "error"), "type") or _plain(item, "error") or _plain(item, "status")
        found[_plain(item, "message_id")] = _RESULTS.get(word, v.DROP), _complaint(item)
    return found


def _member(thing, key):
    return thing.get(key) if isinstance(thing, dict) else None


def _plain(thing, key):
    """A text or number, "" in place of anything else: only these can be hashed, compared and printed without a thought;
    lists may nest deeper than the stack can follow."""
    value = _member(thing, key)
    return value if type(value) in (str, int, float) else ""


def _complaint(body):
    """What an answer or an item says in its `error`, "" when it says nothing."""
    error = _member(body, "error")
    try:
        return "" if error is None else str(error)[:160]
    except (MemoryError, RuntimeError):  # it nests deeper than the stack can follow
        return "error"
