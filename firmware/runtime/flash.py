"""What is read from the flash and written to it: small durable records, and the configuration.

A record is written beside and renamed over, so that a power cut at any moment leaves the old one or the new one
(littlefs renames atomically). Refuses anything large: a record is read into memory whole.
"""

import json
import os
import sys

from firmware.core.errors import ConfigError

BOOT_RECORD = "boot.json"
_DROPPED = ("firmware.core.config", "firmware.core.pins")


class Store:
    """Records below `folder` ("" is the root of the flash)."""

    def __init__(self, folder=""):
        self.folder = folder

    def load(self, name):
        """The record, an empty one when there is none or it cannot be read."""
        try:
            with open(self.folder + name) as f:
                return json.load(f)
        except (OSError, ValueError):
            return {}

    def save(self, name, record):
        """Write the record; False when the flash refuses."""
        path = self.folder + name
        try:
            with open(path + ".new", "w") as f:
                json.dump(record, f)
            os.rename(path + ".new", path)
        except OSError:
            return False
        return True

    def mark_good(self):
        """This boot did not die early: forget the ones before it that did."""
        record = self.load(BOOT_RECORD)
        record["early"] = 0
        return self.save(BOOT_RECORD, record)


def load_config(path, say):
    """The normalized configuration. Every problem is said; ConfigError when one of them is an error.

    The validator is large and needed once: its modules are dropped from memory afterwards.
    """
    try:
        with open(path) as f:
            raw = json.load(f)
    except OSError:
        raise ConfigError("no %s on this device: copy one there" % path)
    except ValueError:
        raise ConfigError("%s is not JSON: try python -m tools.check_config" % path)
    from firmware.core.config import render, validate

    config, problems = validate(raw)
    wrong = 0
    for problem in problems:
        say(problem[0], render(problem))
        wrong += problem[0] == "error"
    for name in [name for name in sys.modules if name.startswith(_DROPPED)]:
        parent, child = name.rsplit(".", 1)
        del sys.modules[name]
        if hasattr(sys.modules[parent], child):
            delattr(sys.modules[parent], child)
    if wrong:
        error = ConfigError("config has %d errors; outputs stay safe until they are mended" % wrong)
        error.led = config["led"]
        raise error
    return config
