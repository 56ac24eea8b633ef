"""What requests and responses of every generation of the Realer API have in common.

Source: docs/protocol.md, Response codes. Pure. Every answer becomes a result or a LinkError, never another
exception. The dialect of each generation knows what a request or a body means. Secrets leave only through `message`
and `keys.basic`.
"""

import json

from firmware.cloud.fields import error_text, get, get_scalar
from firmware.core import outcomes
from firmware.core.errors import LinkError
from firmware.core.models import Sensor


def message(method, target, auth, text=""):
    """The arguments of `Client.request` for a request with the header `auth`; `text`: the JSON it carries, if any."""
    headers = auth, ("Content-Type" if text else "Accept", "application/json")
    return method, target, headers, text.encode() if text else None


def parse_response(what, response, large=None):
    """(outcome, JSON, message for the log, seconds of Retry-After) of the answer to `what`. That of OK is an object.
    `large`: the LargeBody that took the body, if any.

    LinkError: the server's trouble, try again later.
    """
    try:
        # No page shows what Realino answers to feeds, so nothing will do.
        # As it came: a text would be a second copy of the largest thing there is.
        body = (
            large.body(response) if large else json.loads(response.body or ("{}" if what == "feeds" else ""))
        )
    except (ValueError, MemoryError, RuntimeError):  # the latter two: nested deeper than there is room for
        body = None
    code = get(body, "code")
    found = outcomes.classify(response.status, code if isinstance(code, int) else None)
    text = "%s: HTTP %d %s" % (what, response.status, error_text(body))
    no_object = not isinstance(body, dict)
    if no_object and (response.body or response.status < 400):
        start = bytes(response.body[:40]).strip()
        if start[:1] != b"<" and what[0] in "tl/":
            start = b""  # of a token, perhaps
        text += "%r %r instead of JSON; check cloud.base_url" % (response.kind[:40], start)
    if found == outcomes.RETRY or (found == outcomes.OK and no_object):
        raise LinkError(text, response.retry_after_s)
    return found, body, text, response.retry_after_s


def remedy(outcome):
    """What a person can do about an outcome that ends the authorization."""
    # Of a token also DROP: a server may answer wrong keys with 400 (RFC 6749, section 5.2).
    if outcome < outcomes.PAYMENT_REQUIRED:
        return "check cloud.client_id and client_secret"
    if outcome == outcomes.PAYMENT_REQUIRED:
        return "subscription inactive"
    return "check cloud.device_id and the device's policy"


def items(body, key):
    """[(row, item)] of a catalog's list, the row as a Sensor; one that is of no use has an error. LinkError."""
    listed = get(body, key)
    if not isinstance(listed, list):
        raise LinkError("no list of " + key)
    found = []
    for item in listed:
        name = get_scalar(item, "id")
        port = str(get_scalar(item, "pin_port"))
        error = error_text(item)
        if name == "" or not port:
            error = error or "no id or no pin_port"
        found.append((Sensor(name, get_scalar(item, "kind"), port, error), item))
    return found
