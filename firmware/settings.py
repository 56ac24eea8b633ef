"""Checks the configuration and logs what is wrong with it. Needed once, and unloaded afterwards."""

import os
import sys

from firmware.core.config import render, validate
from firmware.core.errors import ConfigError

_BOARDS = "firmware.boards"


def chip():
    """The chip that this runs on as a module of `firmware.boards` is named. MicroPython names it after "with", with
    hyphens or without, and with the memory in its package. What is no ESP32 is a computer, and plays a classic one."""
    uname = getattr(os, "uname", None)
    name = (uname()[4] if uname else "").rpartition("with ")[2].lower().replace("-", "")
    # A letter and a digit behind it make another chip; ESP32-D0WD or ESP32-PICO-D4 is a classic one.
    other = name[:5] == "esp32" and name[5:6] in "schp" and "0" < name[6:7] <= "9"
    return name[:7] if other else "esp32"


def with_psram():
    """Whether MicroPython uses PSRAM at pins of its own: its image calls itself so."""
    uname = getattr(os, "uname", None)
    return "SPIRAM" in (uname()[4] if uname else "")


def profile(chip):
    """The text about a chip, and which pins its PSRAM takes. ConfigError where there is none."""
    name = "%s.%s" % (_BOARDS, chip)
    try:
        __import__(name)
    except ImportError:
        raise ConfigError("unknown chip %s; outputs stay safe" % chip)
    found = sys.modules[name].PROFILE
    if with_psram():
        found = found.replace("\npsram ", "\ntaken ")
    # Nobody needs it again.
    for module in (name, _BOARDS):
        parent, _, child = module.rpartition(".")
        sys.modules.pop(module, None)
        if hasattr(sys.modules.get(parent), child):
            delattr(sys.modules[parent], child)
    return found


def problems_of(raw):
    """Of a configuration that is about to be written; see core.config."""
    return validate(raw, profile(chip()))[1]


def checked(raw, problems, log):
    """The normalized configuration of `raw`. Every problem, those already known among them, is logged, and ConfigError
    raised when one is an error. From now on the log knows its level and what to mask."""
    config, more = validate(raw, profile(chip()))
    problems += more
    wrong = 0
    for problem in problems:
        log.log(problem[0], render(problem))
        wrong += problem[0] == "error"
    if wrong:
        error = ConfigError("config has %d errors; outputs stay safe until they are corrected" % wrong)
        config["why"] = ", ".join([problem[1] for problem in problems if problem[0] == "error"][:3])
        error.left = config
        raise error
    log.level = config["log"]["level"]
    networks = config["wifi"]["networks"] if config["wifi"] else ()
    cloud = config["cloud"]
    log.hidden = [n["password"] for n in networks if n["password"].reveal()]
    log.hidden.append(cloud["credential" if cloud["api"] == "thinger" else "client_secret"])
    return config
