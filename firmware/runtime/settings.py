"""Reads the configuration file once, at the start, and tells what is wrong with it."""

import json
import sys

from firmware.core.errors import ConfigError

_DROPPED = ("firmware.core.config", "firmware.core.pins")


def load(path, say):
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
    for name in [
        name for name in sys.modules if name.startswith(_DROPPED[0]) or name.startswith(_DROPPED[1])
    ]:
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
