"""The parts of a login that all generations of the Realer API have in common: sending the device's keys, reading a
token.

Source: docs/protocol.md, Tokens and Realino. Pure.
"""

import binascii

from firmware.cloud.fields import get
from firmware.core.errors import LinkError
from firmware.core.models import Secret, number


def basic(cfg):
    """Return the Authorization header with the device's keys, (name, value)."""
    keys = "%s:%s" % (cfg["client_id"], cfg["client_secret"].reveal())
    return "Authorization", "Basic " + binascii.b2a_base64(keys.encode()).decode().strip()


def grant(body):
    """Return (token as Secret, expires_s, renew_s) of a token response. `expires_s`: its lifetime in seconds, at least
    1. `renew_s`: seconds until it should be renewed, 0 if the response does not say. LinkError: no usable token.

    Realino calls the lifetime `access_token_expires_in` and has no `renew_after`. Without either, a token is valid for
    an hour (docs/protocol.md, Tokens)."""
    token = get(body, "access_token")
    lasts_s = get(body, "expires_in")
    lasts_s = get(body, "access_token_expires_in") if lasts_s is None else lasts_s
    expires_s = 3600 if lasts_s is None else number(lasts_s) or 0
    # The token is sent in a header, where only visible ASCII is safe (RFC 9110 section 5.5).
    data = token.encode("utf-8", "surrogatepass") if isinstance(token, str) else b""
    if not data or min(data) < 33 or max(data) > 126 or expires_s < 1:
        raise LinkError("token response without valid access_token or expires_in")
    return Secret(token), int(expires_s), int(number(get(body, "renew_after")) or 0)
