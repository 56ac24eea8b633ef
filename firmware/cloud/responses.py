"""What requests and responses of every generation of the Realer API have in common.

Sources: Realer API, sections 2.4, 8 and 14 row 30. Pure. Whatever shape an answer has, it becomes a result or a
LinkError, never another exception. What a request or a body means is for the dialect of its generation; its secrets
leave through `basic` and `message` only.
"""

import binascii
import json

from firmware.cloud.fields import error_text, get, get_scalar
from firmware.core import verdict as v
from firmware.core.errors import LinkError
from firmware.core.nouns import Secret, Sensor, number

REFUSALS = {
    v.REAUTH: "check cloud.client_id and client_secret",
    v.UNPAID: "subscription inactive",
    v.FORBIDDEN: "check cloud.device_id and the device's policy",
    v.GONE: "check cloud.device_id and the device's policy",
}
"""Verdicts that can end the authorization, and what a person can do about each."""


def basic(cfg):
    """The header with the device's keys."""
    keys = "%s:%s" % (cfg["client_id"], cfg["client_secret"].reveal())
    return "Authorization", "Basic " + binascii.b2a_base64(keys.encode()).decode().strip()


def message(method, target, auth, text=""):
    """The arguments of `Client.request` for a request with the header `auth`; `text`: the JSON it carries, if any."""
    headers = auth, ("Content-Type" if text else "Accept", "application/json")
    return method, target, headers, text.encode() if text else None


def parse_response(what, response):
    """(outcome, JSON, message for the log, seconds of Retry-After) of the answer to `what`. That of OK is an object.

    LinkError: the server's trouble, worth trying again.
    """
    try:
        # No page shows what Realino answers to feeds, so nothing will do.
        # As it came: a text would be a second copy of the largest thing there is.
        body = json.loads(response.body or ("{}" if what == "feeds" else ""))
    except (ValueError, MemoryError, RuntimeError):  # the latter two: nested deeper than there is room for
        body = None
    code = get(body, "code")
    found = v.verdict(response.status, code if isinstance(code, int) else None)
    text = "%s: HTTP %d %s" % (what, response.status, error_text(body))
    if found == v.RETRY or (found == v.OK and not isinstance(body, dict)):
        raise LinkError(text, response.retry_after_s)
    return found, body, text, response.retry_after_s


def grant(body):
    """(token as Secret, expires_s, renew_s) of a token reply; `renew_s` is 0 when there is no hint. LinkError.

    Realino calls the first of the two numbers `access_token_expires_in`, and gives no hint."""
    token = get(body, "access_token")
    expires_s = number(get(body, "expires_in") or get(body, "access_token_expires_in")) or 0
    # The token goes into a header, where only visible ASCII is safe.
    data = token.encode("utf-8", "surrogatepass") if isinstance(token, str) else b""
    if not data or min(data) < 33 or max(data) > 126 or expires_s < 1:
        raise LinkError("token reply without a usable access_token or expires_in")
    return Secret(token), int(expires_s), int(number(get(body, "renew_after")) or 0)


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
