"""OAuth 2.0 client credentials: the requests for a token and for its revocation.

Sources: docs/protocol.md, Tokens; RFC 6749 section 4.4; RFC 7009. Pure.
"""

import binascii

from firmware.cloud.keys import basic
from firmware.core.models import Secret

_MQTT_SCOPES = "iot:catalog:read iot:mqtt:connect iot:mqtt:ack:read iot:mqtt:feed-data:write"


def scopes(cfg):
    """Return the scopes that a token needs, separated by spaces: those for MQTT, with commands that for desired states,
    and with transport `auto` that for reports over HTTPS. "" with transport `https`: the server decides."""
    transport = cfg["transport"]
    if transport == "https":
        return ""
    asked = _MQTT_SCOPES
    if cfg["commands"]:
        asked += " iot:mqtt:desired:read"
    return asked + " iot:feed-data:write" if transport == "auto" else asked


def oauth(cfg, revoke=None, scopes=""):
    """Return the arguments of `Client.request` that request a token with `scopes` ("": the server decides), or that
    revoke the token `revoke` (a Secret)."""
    body = b"grant_type=client_credentials"
    if scopes:
        body += b"&scope=" + scopes.replace(" ", "+").encode()
    if revoke:
        # Every byte is escaped, because a plus sign would be decoded as a space.
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
