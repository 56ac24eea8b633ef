"""The parts of requests and responses that all generations of the Realer API have in common.

Source: docs/protocol.md, Response codes. Pure. Every response becomes a result or a LinkError, never another exception.
The dialects interpret the content.
"""

import json

from firmware.cloud.fields import error_text, get, get_scalar
from firmware.core import outcomes
from firmware.core.errors import LinkError
from firmware.core.models import Sensor


def message(method, target, auth, text=""):
    """Return the arguments of `Client.request` for a request with the header `auth`, (name, value). `text`: its JSON
    body, "" for none."""
    headers = auth, ("Content-Type" if text else "Accept", "application/json")
    return method, target, headers, text.encode() if text else None


def parse_response(what, response, large=None):
    """Return (outcome, JSON, text for the log, Retry-After in s) of the Response to the request `what`. With the
    outcome OK the JSON is an object. `large`: the LargeBody that received the body, if any.

    LinkError: a failure of the server, so the request should be retried later.
    """
    try:
        # Realino's response to feeds is not documented, so an empty body is accepted. The body is parsed as bytes,
        # because decoding it first would make a second copy of the largest object in memory.
        body = (
            large.body(response) if large else json.loads(response.body or ("{}" if what == "feeds" else ""))
        )
    except (ValueError, MemoryError, RuntimeError):  # the latter two: nested too deeply
        body = None
    code = get(body, "code")
    found = outcomes.classify(response.status, code if isinstance(code, int) else None)
    text = "%s: HTTP %d %s" % (what, response.status, error_text(body))
    no_object = not isinstance(body, dict)
    if no_object and (response.body or response.status < 400):
        start = bytes(response.body[:40]).strip()
        if start[:1] != b"<" and what[0] in "tl/":
            start = b""  # the body may contain a token
        text += "%r %r instead of JSON" % (response.kind[:40], start)
        if response.status < 500:  # else a proxy answers for a server that is down
            text += "; check cloud.base_url"
    if found == outcomes.RETRY or (found == outcomes.OK and no_object):
        raise LinkError(text, response.retry_after_s)
    return found, body, text, response.retry_after_s


def remedy(outcome, text):
    """Return how to correct an outcome that ends the authorization, as a text for the log. `text`: that of the
    response, see `parse_response`."""
    # DROP too, because a server may answer 400 to a token request with wrong keys, or for a scope that the device must
    # not have (RFC 6749, section 5.2).
    if outcome < outcomes.PAYMENT_REQUIRED and "_scope" not in text:
        return "check cloud.client_id and client_secret"
    if outcome == outcomes.PAYMENT_REQUIRED:
        return "subscription inactive"
    return "check cloud.device_id and the device's policy"


def items(body, key):
    """Return [(row, item)] of the list `key` of a catalog, each row as a Sensor, with an error if it is not usable.
    LinkError: there is no such list."""
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
