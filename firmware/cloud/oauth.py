"""OAuth 2.0 client credentials as the Realer API speaks it (its sections 3.1 and 3.2; RFC 6749 sections 4.4 and 5).

Pure: texts in, texts and decisions out. The secret passes through `basic` and nowhere else.
"""

import binascii
from collections import namedtuple

from firmware.core.errors import AuthError, LinkError
from firmware.core.nouns import number
from firmware.core.secret import Secret

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
