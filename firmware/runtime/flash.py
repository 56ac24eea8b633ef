"""What is read from the flash and written to it: small durable records, and the configuration.

A record is written beside and renamed over, so that a power cut at any moment leaves the old one or the new one (littlefs
renames atomically). Refuses anything large: a record is read into memory whole.
"""

import json
import os
import sys

from firmware.core.errors import ConfigError


class Store:
    """Records below `folder` ("" is the root of the flash)."""

    def __init__(self, folder=""):
        self._folder = folder

    def load(self, name, default):
        """The record, or `default` when there is none or it cannot be read."""
        try:
            with open(self._folder + name) as f:
                return json.load(f)
        except (OSError, ValueError):
            return default

    def save(self, name, record):
        """Write the record; raises OSError when the flash refuses."""
        path = self._folder + name
        with open(path + ".new", "w") as f:
            json.dump(record, f)
        os.rename(path + ".new", path)


_DROPPED = ("firmware.core.config", "firmware.core.pins")


def load_config(path, say):
    """The normalized configuration. Every problem is said; ConfigError when one of them is an error.

    The validator is large and needed once: its modules are dropped from memory afterwards.
    """
    try:
        with open(path) as f:
            raw = json.load(f)
    except OSError:
        raise ConfigError("there is no %s on this device: copy one there" % path)
    except ValueError:
        raise ConfigError("%s is not JSON: look at it with python -m tools.check_config" % path)
    from firmware.core.config import render, validate

    config, problems = validate(raw)
    for problem in problems:
        say(problem[0], render(problem))
    for name in [name for name in sys.modules if name.startswith(_DROPPED)]:
        _drop(name)
    if [1 for problem in problems if problem[0] == "error"]:
        error = ConfigError("the configuration has errors; outputs stay safe until they are mended")
        error.led = config["led"]
        raise error
    return config


def _drop(name):
    parent, child = name.rsplit(".", 1)
    del sys.modules[name]
    if hasattr(sys.modules.get(parent), child):
        delattr(sys.modules[parent], child)
