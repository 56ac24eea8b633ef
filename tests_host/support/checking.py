"""The check of a configuration for a classic ESP32, which most tests are about."""

from firmware.boards.esp32 import PROFILE
from firmware.core import config


def validate(raw):
    return config.validate(raw, PROFILE)
