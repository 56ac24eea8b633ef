"""What the words of every generation of the Realer API have in common: the form of an answer, of an error, of an item.

Sources: Realer API, sections 2.4, 8 and 14 row 30. Pure. Whatever shape an answer has, it becomes a result or a
LinkError, never another exception. What a request or a body means is for the dialect of its generation; its secrets
leave through `basic` and `message` only.
"""

import binascii
import json

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


def judge(what, response):
    """(verdict, JSON, words for the log, seconds of Retry-After) of the answer to `what`. The JSON of OK is an object.

    LinkError: the server's trouble, worth trying again.
    """
    try:
        # No page shows what Realino answers to feeds, so nothing will do.
        # As it came: a text would be a second copy of the largest thing there is.
        body = json.loads(response.body or ("{}" if what == "feeds" else ""))
    except (ValueError, MemoryError, RuntimeError):  # the latter two: nested deeper than there is room for
        body = None
    code = member(body, "code")
    found = v.verdict(response.status, code if isinstance(code, int) else None)
    words = "%s: HTTP %d %s" % (what, response.status, complaint(body))
    if found == v.RETRY or (found == v.OK and not isinstance(body, dict)):
        raise LinkError(words, response.retry_after_s)
    return found, body, words, response.retry_after_s


def grant(body):
    """(token as Secret, expires_s, renew_s) of a token reply; `renew_s` is 0 when there is no hint. LinkError.

    Realino calls the first of the two numbers `access_token_expires_in`, and gives no hint."""
    token = member(body, "access_token")
    expires_s = number(member(body, "expires_in") or member(body, "access_token_expires_in")) or 0
    # The token goes into a header, where only visible ASCII is safe.
    data = token.encode("utf-8", "surrogatepass") if isinstance(token, str) else b""
    if not data or min(data) < 33 or max(data) > 126 or expires_s < 1:
        raise LinkError("token reply without a usable access_token or expires_in")
    return Secret(token), int(expires_s), int(number(member(body, "renew_after")) or 0)


def items(body, key):
    """[(row, item)] of a catalog's list, the row as a Sensor; one that is of no use has an error. LinkError."""
    listed = member(body, key)
    if not isinstance(listed, list):
        raise LinkError("no list of " + key)
    found = []
    for item in listed:
        name = plain(item, "id")
        port = str(plain(item, "pin_port"))
        error = complaint(item)
        if name == "" or not port:
            error = error or "no id or no pin_port"
        found.append((Sensor(name, plain(item, "kind"), port, error), item))
    return found


def member(thing, key):
    """What an object holds under `key`, None when it is no object."""
    return thing.get(key) if isinstance(thing, dict) else None


def plain(thing, key):
    """A text or number, "" in place of anything else: only these can be hashed, compared and printed without a thought;
    lists may nest deeper than the stack can follow."""
    value = member(thing, key)
    return value if type(value) in (str, int, float) else ""


def text(thing, key):
    """A text, "" in place of anything else."""
    value = member(thing, key)
    return value if isinstance(value, str) else ""


def complaint(body):
    """What an answer or an item says in its `error`, "" when it says nothing."""
    error = member(body, "error")
    try:
        return "" if error is None else str(error)[:160]
    except (MemoryError, RuntimeError):  # it nests deeper than the stack can follow
        return "error"
