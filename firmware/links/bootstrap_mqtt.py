"""The newest generation of iot/v1 over MQTT, or HTTPS in its place: a row of `LINKS`."""

from firmware.links.bootstrap import Runtime
from firmware.links.realer_mqtt import RealerMqtt


def connected(*parts):
    """The link; `parts` as for RealerMqtt."""
    return Runtime(RealerMqtt(*parts), True).link
