"""Check the configuration and log its problems. Needed once, and unloaded afterwards."""

import os
import sys

from firmware.core.config import render, validate
from firmware.core.errors import ConfigError

_BOARDS = "firmware.boards"


def chip():
    """Return the chip as the name of its module in `firmware.boards`. In MicroPython's machine name it follows "with",
    with or without hyphens, and perhaps with the memory in its package. A computer counts as a classic ESP32."""
    uname = getattr(os, "uname", None)
    name = (uname()[4] if uname else "").rpartition("with ")[2].lower().replace("-", "")
    # Another chip has a letter and a digit after ESP32, such as ESP32-S3; ESP32-D0WD or ESP32-PICO-D4 is a classic one.
    other = name[:5] == "esp32" and name[5:6] in "schp" and "0" < name[6:7] <= "9"
    return name[:7] if other else "esp32"


def with_psram():
    """Return whether MicroPython uses PSRAM, which takes pins of the chip, according to the name of its image."""
    uname = getattr(os, "uname", None)
    return "SPIRAM" in (uname()[4] if uname else "")


def profile(chip):
    """Return the text about a chip from `firmware.boards`, in which the pins of PSRAM are `taken` if it is in use.
    ConfigError: unknown chip."""
    name = "%s.%s" % (_BOARDS, chip)
    try:
        __import__(name)
    except ImportError:
        raise ConfigError("unknown chip %s; outputs stay safe" % chip)
    found = sys.modules[name].PROFILE
    if with_psram():
        found = found.replace("\npsram ", "\ntaken ")
    # Unload the module, which is not needed again.
    for module in (name, _BOARDS):
        parent, _, child = module.rpartition(".")
        sys.modules.pop(module, None)
        if hasattr(sys.modules.get(parent), child):
            delattr(sys.modules[parent], child)
    return found


def problems_of(raw):
    """Return the problems of a configuration that is about to be written; see core.config."""
    return validate(raw, profile(chip()))[1]


def checked(raw, problems, log):
    """Return the normalized configuration of `raw`, and set the log's level and the secrets that it masks. All problems
    are logged, including the given ones; ConfigError if one is an error."""
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
