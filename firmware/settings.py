"""Checks the configuration and logs what is wrong with it. Needed once, and dropped from memory afterwards."""

from firmware.core.config import render, validate
from firmware.core.errors import ConfigError


def problems_of(raw):
    """Of a configuration that is about to be written; see core.config."""
    return validate(raw)[1]


def checked(raw, problems, log):
    """The normalized configuration of `raw`. Every problem, those already known among them, is logged, and ConfigError
    raised when one is an error. From now on the log knows its level and what to mask."""
    config, more = validate(raw)
    problems += more
    wrong = 0
    for problem in problems:
        log.log(problem[0], render(problem))
        wrong += problem[0] == "error"
    if wrong:
        error = ConfigError("config has %d errors; outputs stay safe until they are mended" % wrong)
        config["why"] = ", ".join([problem[1] for problem in problems if problem[0] == "error"][:3])
        error.left = config
        raise error
    log.level = config["log"]["level"]
    networks = config["wifi"]["networks"] if config["wifi"] else ()
    cloud = config["cloud"]
    log.hidden = [n["password"] for n in networks if n["password"].reveal()]
    log.hidden.append(cloud["credential" if cloud["api"] == "thinger" else "client_secret"])
    return config
