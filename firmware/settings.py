"""Reads the configuration and tells what is wrong with it. Needed once, and dropped from memory afterwards."""

import json

from firmware.core.config import render, validate
from firmware.core.errors import ConfigError


def problems_of(raw):
    """Of a configuration that is about to be written; see core.config."""
    return validate(raw)[1]


def load_config(path, log):
    """The normalized configuration; every problem is logged, and ConfigError raised when one of them is an error. From
    now on the log knows its level and what to mask."""
    try:
        with open(path) as f:
            raw = json.load(f)
    except OSError:
        raise ConfigError("no %s on this device: copy one there" % path)
    except ValueError:
        raise ConfigError("%s is not JSON: try python -m tools.check_config" % path)
    config, problems = validate(raw)
    wrong = 0
    for problem in problems:
        log.say(problem[0], render(problem))
        wrong += problem[0] == "error"
    if wrong:
        error = ConfigError("config has %d errors; outputs stay safe until they are mended" % wrong)
        error.left = config
        raise error
    log.level = config["log"]["level"]
    networks = config["wifi"]["networks"] if config["wifi"] else ()
    cloud = config["cloud"]
    log.hidden = [n["password"] for n in networks if n["password"].reveal()]
    log.hidden.append(cloud["credential" if cloud["api"] == "thinger" else "client_secret"])
    return config
