"""The check of a configuration for a classic ESP32, which most tests are about."""

from firmware.boards.esp32 import PROFILE
from firmware.core import config


def validate(raw):
    return config.validate(raw, PROFILE)


def errors(**raw):
    """The paths of the errors, but for the cloud and the Wi-Fi that `raw` lacks."""
    found = validate(raw)[1]
    return [path for level, path, _, _ in found if level == "error" and path[:5] not in ("cloud", "wifi")]
