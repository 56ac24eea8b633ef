"""The root certificates that servers are verified against: those of the configuration and those of the bundle that
runs. Needed once, at startup, and unloaded afterwards.

The roots of a bundle are part of its copy, so that they are on trial with it, and the former ones return if the trial
fails. They are added to those of the configuration and never replace them. A certificate that cannot be used is left
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
    """Append the roots in `copy`, the folder of the copy that runs, to `cloud.ca_files`. Set `roots` of the
    configuration to the days since 1970-01-01 on which the first and the last of all roots expire, () if none can be
    read."""
    files = config["cloud"]["ca_files"]
    known, ends = [], []
    for path in files + _of_bundle(copy):
        try:
            with open(path, "rb") as f:
                der = f.read()
            digest = hashlib.sha256(der).digest()
            if digest in known:
                continue  # a duplicate would take memory in the TLS context
            day = end_day(der)
            if path not in files:
                verifying_context((der,))
                files.append(path)
            known.append(digest)
            ends.append(day)
        except (OSError, ValueError) as e:
            if path not in files:  # problems with those of the configuration are reported where they are used
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
