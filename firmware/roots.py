"""The root certificates that servers are verified with: those that the configuration names, and beside them those that
came with the bundle that runs. Needed once, at the start, and unloaded afterwards.

The roots of a bundle lie in its copy, so that a trial is one of its roots too, and ends with the former ones. They are
added and replace none: whatever a bundle brings, the roots of the configuration stay. One that cannot be used is left
out.
"""

import hashlib
import os
from micropython import const

from firmware.core.certificate import end_day
from netio.stream import verifying_context

_FOLDER = "/firmware/certs"
_MOST = const(4)


def add(config, copy, log):
    """Append to `cloud.ca_files` the roots in `copy`, the folder of the copy that runs; `roots` of the configuration
    are the days, since 1970, on which the first and the last of all ends, () where none can be read."""
    files = config["cloud"]["ca_files"]
    known, ends = [], []
    for path in files + _of_bundle(copy):
        try:
            with open(path, "rb") as f:
                der = f.read()
            digest = hashlib.sha256(der).digest()
            if digest in known:
                continue  # a context takes memory for it a second time
            day = end_day(der)
            if path not in files:
                verifying_context((der,))
                files.append(path)
            known.append(digest)
            ends.append(day)
        except (OSError, ValueError) as e:
            if path not in files:  # what is wrong with the others is said where they are used
                log.log("warning", "root certificate %s left out: %s" % (path, e))
    config["roots"] = (min(ends), max(ends)) if ends else ()


def _of_bundle(copy):
    if copy not in ("/a", "/b", "/rom"):
        return []
    try:
        names = sorted(os.listdir(copy + _FOLDER))
    except OSError:
        return []
    return [copy + _FOLDER + "/" + name for name in names[:_MOST]]
