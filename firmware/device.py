"""The running device: the start in order, the parts that live on after it, how they are as one word, their orderly end.

The start is made of modules that are imported, used and dropped again, the largest first: the check of the
configuration runs before anything else takes memory.
"""

import asyncio
import gc
import sys
import time
from micropython import const

from firmware.core.errors import ConfigError
from firmware.runtime.clock import Clock
from firmware.runtime.flash import BOOT_RECORD, SLOT_RECORD, Store
from firmware.runtime.log import Log
from firmware.version import VERSION

_REPL_MS = const(3600000)
_GC_BYTES = const(
    16384
)  # collect early: what TLS needs lies outside of this heap and must not be eaten by it


class Device:
    """`supervisor` runs the loops of all the others."""

    def __init__(self, network, link, session, controller):
        self.network = network
        self.link = link
        self.session = session
        self.controller = controller
        self.supervisor = None

    def state(self):
        """The one word that says how things are, for the LED and the status."""
        if not self.network.up:
            return "no_wifi"
        if not self.network.ready():
            return "no_time"
        if not self.link.lease.held:
            return "unauthorized"
        if self.controller.safety.safe:
            return "safe"
        return "online" if self.session.online else "no_cloud"

    def status(self):
        """All of it, as one line for the console."""
        try:
            from firmware.runtime.status import status

            return status(self, VERSION)
        except MemoryError:
            return "status {}"  # a question must not harm what is asked about
        finally:
            drop("firmware.runtime.status")

    async def shutdown(self):
        """An orderly end: outputs safe, token given back."""
        self.controller.panic()
        await self.link.shutdown()


def run(sink):
    """The device's whole life, until Ctrl-C or an exception ends it. `sink(text)` prints a line of the log."""
    from firmware.drivers.board import Board

    board = Board()
    store = Store()
    for line in board.noted():
        sink("before the reset: " + line)
    log = Log(Clock(time.ticks_ms, asyncio.sleep_ms), sink, board.note)
    record = _greet(board, log, store)
    try:
        device = _start(board, log, store, record)
    except ConfigError as e:
        log.say("error", str(e))
        from firmware.out_of_service import show_config_error

        return asyncio.run(show_config_error(board, log, store, record, e.left))
    del record  # nothing of the start shall live as long as the device
    try:
        asyncio.run(device.supervisor.run())
    except KeyboardInterrupt:
        # Somebody is at the REPL: the outputs are theirs now, but a board that is forgotten comes back by itself.
        if device.supervisor.watchdog:
            board.watchdog(_REPL_MS)
        store.mark_good()
        asyncio.new_event_loop()
        asyncio.run(device.shutdown())
        raise
    finally:
        device.controller.panic()


def _greet(board, log, store):
    """Say what runs here; what boot.py recorded."""
    record, slot = store.load(BOOT_RECORD), store.load(SLOT_RECORD)
    where = slot.get("slot") or "root"
    if "failed" in slot:
        where += ", as %s failed" % slot["failed"]
    facts = VERSION, where, record.get("boots", 0), board.reset_cause()
    log.say("info", "firmware %s in slot %s, boot %d, reset cause: %s" % facts)
    return record


def _start(board, log, store, record):
    if record.get("safe_mode"):
        from firmware.out_of_service import sit_out

        asyncio.run(sit_out(board, log, store, record))
    config = _config(log)
    drop("firmware.settings", "firmware.core.config")
    from firmware.app import start

    device = start(config, board, log, store, record.get("boots", 0))
    drop("firmware.app", "firmware.runtime.recall", "journal.recover")
    return device


def _config(log):
    """In a function of its own: as long as it runs, what it imported cannot be dropped."""
    from firmware.settings import load_config

    return load_config("config.json", log)


def drop(*prefixes):
    """What was needed once makes room for what is needed always."""
    for name in list(sys.modules):
        if not any([name.startswith(prefix) for prefix in prefixes]):  # no tuple of them before 1.25
            continue
        parent, child = name.rsplit(".", 1)
        del sys.modules[name]
        delattr(sys.modules[parent], child)
    gc.collect()
    gc.threshold(_GC_BYTES)
