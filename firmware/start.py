"""The steps of the start: log the version, read the configuration, build the device. Unloaded afterwards.

The configuration is checked before anything else takes memory, and the check is unloaded before the device is built.
"""

import asyncio
import sys

from firmware.device import drop
from firmware.runtime.store import BOOT_RECORD, SLOT_RECORD
from firmware.version import VERSION


def start(board, log, store):
    """Return the Device. ConfigError."""
    for line in board.noted():
        log.sink("before the reset: " + line)
    record, slot = store.load(BOOT_RECORD), store.load(SLOT_RECORD)
    where = slot.get("slot") or "root"
    if "failed" in slot:
        where += ", as %s failed" % slot["failed"]
    facts = VERSION, where, record.get("boots", 0), board.reset_cause()
    log.log("info", "firmware %s in slot %s, boot %d, reset cause: %s" % facts)
    if record.get("safe_mode"):
        from firmware.safe_mode import run_safe_mode

        asyncio.run(run_safe_mode(board, log, store, record, lambda: _local(board, log)))
    asked = record.pop("asked", None)
    if asked == "factory_reset":
        _forget(store)
    if asked:
        # Only now: a factory reset that a power cut interrupts is begun again.
        store.save(BOOT_RECORD, record)
    config = _config(log)
    if asked == "portal":
        asyncio.run(_portal(board, log, store, config))
    _add_roots(config, log)
    _overwrite(40)
    drop(
        "firmware.roots",
        "firmware.settings",
        "firmware.core.config",
        "firmware.core.zone",
        "firmware.sensors.",
        "firmware.outputs.",
    )
    return _built(config, board, log, store, record.get("boots", 0))


def _forget(store):
    from firmware.safe_mode import forget_owner

    forget_owner(store)


def _portal(board, log, store, config):
    """Return the coroutine that runs the portal instead of the device and ends with a reset."""
    from firmware.safe_mode import show_config_error

    return show_config_error(board, log, store, config, True)


def _config(log):
    """Return the normalized configuration. The values on the way are large, so they are not held by the frame of
    `start`, which lies where the frames of all loops will lie: stale pointers there would keep them in memory."""
    found = _read()
    drop("firmware.config_file", "firmware.core.config_text")
    return _checked(found, log)


def _read():
    """Read the file. In a function of its own, like the next ones: modules cannot be unloaded while a function that has
    imported them runs."""
    from firmware.config_file import read

    return read("config.json")


def _checked(found, log):
    from firmware.settings import checked

    return checked(*found, log)


def _add_roots(config, log):
    from firmware.roots import add

    add(config, sys.path[0], log)


def _overwrite(depth):
    """Overwrite pointers that finished calls left on the stack: the garbage collector would keep what they refer to,
    such as the 3 KB of the rules. `depth`: as many calls as the check nested, or up to the end of the stack."""
    try:
        return depth and _overwrite(depth - 1)
    except RuntimeError:
        return 0


def _built(config, board, log, store, boots):
    from firmware.app import start

    return start(config, board, log, store, boots)


def _local(board, log):
    from firmware.app import local

    return local(_config(log), board, log)
