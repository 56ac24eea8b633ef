"""The running device: the parts that stay in memory after the start, their state, and their orderly end."""

import asyncio
import gc
import sys
import time
from micropython import const

from firmware.core.errors import ConfigError
from firmware.runtime.clock import Clock
from firmware.runtime.log import Log
from firmware.runtime.store import Store
from firmware.version import VERSION

_REPL_MS = const(3600000)
_GC_BYTES = const(2048)  # collect often: this packs long-lived objects and leaves large free blocks


class Device:
    """The parts of the device. `supervisor` runs the loops."""

    def __init__(self, clock, board, store, network, link, cloud_loop, controller):
        self.clock = clock
        self.board = board
        self.store = store
        self.network = network
        self.link = link
        self.cloud_loop = cloud_loop
        self.controller = controller
        self.supervisor = None

    def state(self):
        """Return the state as one word, for the LED (core.status_led) and the status."""
        if not self.network.up:
            return "no_network"
        if not self.network.ready():
            return "no_time"
        if not self.link.lease.held:
            # Only a cloud that has answered can have refused.
            return "unauthorized" if self.cloud_loop.refusals.failures else "no_cloud"
        if self.controller.safety.safe:
            return "safe"
        return "online" if self.cloud_loop.online else "no_cloud"

    def status(self):
        """Return the full status as one line for the console."""
        try:
            from firmware.runtime.status import status

            return status(self, VERSION)
        except MemoryError:
            return "status {}"  # the query must not stop the device
        finally:
            drop("firmware.runtime.status", "firmware.drivers.reset_cause")

    async def shutdown(self):
        """End in an orderly way: drive the outputs to their safe state, revoke the token."""
        self.controller.force_safe()
        await self.link.shutdown()


def run(sink):
    """Start and run the device until Ctrl-C or an exception ends it. `sink(text)` prints a line of the log."""
    from firmware.drivers.board import Board

    board = Board()
    store = Store()
    log = Log(Clock(time.ticks_ms, asyncio.sleep_ms), sink, board.note)
    try:
        device = _started(board, log, store)
    except ConfigError as e:
        log.log("error", str(e))
        from firmware.safe_mode import show_config_error

        return asyncio.run(show_config_error(board, log, store, e.left))
    drop(
        "firmware.start",
        "firmware.app",
        "firmware.runtime.restore",
        "firmware.drivers.reset_cause",
        "journal.",
    )
    try:
        asyncio.run(device.supervisor.run())
    except KeyboardInterrupt:
        # Somebody is at the REPL and controls the outputs now. If the board is left like this, the watchdog resets it.
        if device.supervisor.watchdog:
            board.watchdog(_REPL_MS)
        store.mark_good()
        asyncio.new_event_loop()
        asyncio.run(device.shutdown())
        raise
    finally:
        device.controller.force_safe()


def _started(board, log, store):
    """Return the Device. In a function of its own, because imported modules cannot be unloaded while it runs."""
    from firmware.start import start

    return start(board, log, store)


def import_apply_catalog():
    """Import the unit that the cloud loop loads for each new catalog."""
    from firmware.core.catalog import apply_catalog

    return apply_catalog


def import_persistence_writing():
    """Import the unit that Persistence loads when there is something to write."""
    from firmware.persistence_writing import opened, write

    return write, opened


def import_wifi_joining():
    """Import the unit that NetworkLoop loads while Wi-Fi is not connected."""
    from firmware.drivers.wifi_control import WifiControl
    from firmware.runtime.wifi_joining import WifiJoining

    return WifiJoining, WifiControl


def import_ladder():
    """Import the unit that NetworkLoop loads while nothing is received, or after memory was short."""
    from firmware.drivers.wifi_control import WifiControl
    from firmware.runtime.ladder import Ladder

    return Ladder, WifiControl


def drop(*prefixes):
    """Unload all modules whose names begin with one of `prefixes`, and collect garbage."""
    for name in list(sys.modules):
        if not any([name.startswith(prefix) for prefix in prefixes]):  # startswith takes no tuple before 1.25
            continue
        parent, child = name.rsplit(".", 1)
        del sys.modules[name]
        if parent in sys.modules:
            delattr(sys.modules[parent], child)
    gc.collect()
    gc.threshold(_GC_BYTES)
