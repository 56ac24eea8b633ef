"""The credentials of the Realer API for an MQTT CONNECT.

Source: docs/protocol.md, MQTT credentials. Pure. Every response becomes a result or a LinkError.
"""

from collections import namedtuple

from firmware.cloud.fields import get, get_text
from firmware.core.errors import LinkError
from firmware.core.models import Secret, number

MqttCredentials = namedtuple("MqttCredentials", "client_id username password expires_s renew_s")
"""`client_id`, `username`, `password` (a Secret): for CONNECT. `expires_s`, `renew_s`: seconds until the credentials
expire, and until they should be renewed."""


def credentials(body):
    """Return the MqttCredentials of `body`, a credential response. LinkError: a field is missing, or expires_in is not
    a positive number."""
    mqtt = get(body, "mqtt")
    names = [get_text(mqtt, "mqtt_" + name) for name in ("client_id", "username", "credential")]
    expires_s = get(mqtt, "expires_in")
    expires_s = 3600 if expires_s is None else number(expires_s) or 0  # the value of the documented example
    hard_s = number(get(mqtt, "session_hard_expires_in")) or expires_s
    if "" in names or expires_s < 1:
        raise LinkError("MQTT credentials incomplete, or invalid expires_in")
    expires_s = int(min(expires_s, max(hard_s, 1)))
    renew_s = int(number(get(mqtt, "renew_after")) or 0)
    if not 0 < renew_s < expires_s:
        renew_s = expires_s * 3 // 4
    return MqttCredentials(names[0], names[1], Secret(names[2]), expires_s, renew_s)
