"""OAuth 2.0 client credentials: the requests that get a token and revoke it.

Sources: docs/protocol.md, Tokens; RFC 6749 section 4.4; RFC 7009. Pure.
"""

import binascii

from firmware.cloud.keys import basic
from firmware.core.models import Secret

_MQTT_SCOPES = "iot:catalog:read iot:mqtt:connect iot:mqtt:ack:read iot:mqtt:feed-data:write"


def scopes(cfg):
    """What a token is asked for, and no more: MQTT, desired states where there are commands, polling
    beside it; "" for polling alone: the server's own choice."""
    transport = cfg["transport"]
    if transport == "https":
        return ""
    asked = _MQTT_SCOPES
    if cfg["commands"]:
        asked += " iot:mqtt:desired:read"
    return asked + " iot:feed-data:write" if transport == "auto" else asked


def oauth(cfg, revoke=None, scopes=""):
    """The arguments of `Client.request` that ask for a token with `scopes` ("": the server's own choice), or take back
    the Secret `revoke`."""
    body = b"grant_type=client_credentials"
    if scopes:
        body += b"&scope=" + scopes.replace(" ", "+").encode()
    if revoke:
        # Every byte is escaped, because a plus sign would arrive as a blank.
        body = b"token=%" + binascii.hexlify(revoke.reveal().encode(), "%")
    if cfg.get("basic_auth") == "form":
        # RFC 6749, section 2.3.1 and appendix B.
        cfg = {
            "client_id": _form(cfg["client_id"]),
            "client_secret": Secret(_form(cfg["client_secret"].reveal())),
        }
    headers = basic(cfg), ("Content-Type", "application/x-www-form-urlencoded")
    return "POST", "/oauth/revoke" if revoke else "/oauth/token", headers, body


def _form(text):
    unreserved = b"*-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return "".join([chr(c) if c in unreserved else "%%%02X" % c for c in text.encode()])
