"""The Realer cloud of whatever generation over MQTT, or HTTPS in its place: a row of `LINKS`."""

from firmware.links.realer_auto import RealerAuto
from firmware.links.realer_mqtt import RealerMqtt


def connected(*parts):
    """The link; `parts` as for RealerMqtt."""
    return RealerAuto(RealerMqtt(*parts), *parts)
