"""Read the configuration file. Needed once, and unloaded before the content is checked."""

import os

from firmware.core.config_text import BOM, NotJson, parse, place
from firmware.core.errors import ConfigError


def read(path):
    """Return (content of the file, problems with duplicate keys). ConfigError: no such file, or not JSON."""
    try:
        with open(path, "rb") as f:
            data = f.read()
    except OSError:
        raise ConfigError("no %s on this device: copy one there" % path)
    try:
        found = parse(data)
    except NotJson as e:
        line, column = place(data, e.args[1])
        text = "%s:%d:%d is not JSON: %s; outputs stay safe until it is corrected"
        raise ConfigError(text % (path, line, column, e.args[0]))
    if data[: len(BOM)] == BOM:
        _without_mark(path, data)
    return found


def _without_mark(path, data):
    """Rewrite the file without the byte order mark, which its other readers, such as the setup portal, do not
    handle."""
    try:
        with open(path + ".new", "wb") as f:
            f.write(data[len(BOM) :])
        os.rename(path + ".new", path)
    except OSError:
        pass  # the content was read all the same
