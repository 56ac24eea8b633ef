"""The setup portal: when it opens, for how long, and what follows. Only with `portal` in the configuration.

It opens once after a start: at once if the configuration cannot be used, otherwise if no network was joined within
`wait_s` seconds. It closes after `minutes`, when a network was joined, or when something was saved, which leads to a
restart. Everything else runs as usual without a network. The code that serves the page is loaded only while the portal
is open.
"""

from micropython import const

from firmware.core.errors import DriverError
from firmware.core.timing import Timer

_STEP_MS = const(100)
_HOLD_MS = const(20000)
_REPLY_MS = const(1500)
_ROOM = const(30720)  # bytes of heap that must be free, so that no loop runs out of memory because of a page


def release():
    from firmware.device import drop

    drop("firmware.portal_site", "firmware.core.setup_form", "firmware.drivers.access_point", "http1.request")
    drop("dnsstub.captive")


class PortalLoop:
    """`settings`: `portal` of the configuration. `board`: for `heap` and `random32`. `store`: for the configuration
    file. `new_access_point(name)`: None: that of the chip. `release()`: unloads the code of the page."""

    def __init__(self, device, settings, log, board, store, new_access_point=None, release=release):
        self.device = device
        self.settings = settings
        self.log = log
        self.board = board
        self.store = store
        self.new_access_point = new_access_point
        self.release = release

    async def run(self, feed):
        network = self.device.network
        clock = self.log.clock
        wait = Timer(clock.ms(), self.settings["wait_s"] * 1000)
        while not network.up:
            feed()
            await clock.sleep_ms(_STEP_MS)
            if wait.passed(clock.ms()):
                await self.open(feed)
                break
        while True:
            feed()
            await clock.sleep_ms(_HOLD_MS)

    async def open(self, feed):
        network = self.device.network
        clock = self.log.clock

        def keep_open(access_point):
            feed()
            if network.joining and access_point.has_clients():
                # A scan would leave the channel of the access point while somebody uses the page.
                network.joining.hold(clock.ms(), _HOLD_MS)
            return not network.up

        free = self.board.heap()[1]
        if free < _ROOM:
            return self.log.log("error", "portal: %d bytes of memory free, %d are needed" % (free, _ROOM))
        from firmware.portal_site import join_failure

        parts = self.settings, self.log, self.board.random32, self.store, self.new_access_point
        self.device.controller.restart = await run_portal(*parts, False, keep_open, *join_failure(network))
        self.release()


async def run_portal(settings, log, rng, store, new_access_point, standalone, keep_open, why="", scan=None):
    """Keep the portal open while `keep_open(access_point)` is true, at most for `minutes`. Return True if something was
    saved, so that a restart is due. `standalone`: no loop of the firmware runs. `why`: why it is open, for the page.
    `scan`: the access points of a scan, see setup_form.listed."""
    clock = log.clock
    log.hidden.append(settings["password"])
    end = Timer(clock.ms(), settings["minutes"] * 60000)
    access_point = None
    saved = False
    try:
        from firmware.portal_site import Site

        site = Site(clock, rng, store, standalone, new_access_point, why)
        access_point = site.access_point
        site.look(scan)
        access_point.start(settings["password"].reveal())
        await access_point.listen(site.serve)
        log.log("warning", "portal: open for %d min at %s" % (settings["minutes"], access_point.ssid))
        while keep_open(access_point) and not site.saved and not end.passed(clock.ms()):
            access_point.step(site.name)
            await clock.sleep_ms(_STEP_MS)
        saved = site.saved
        if saved:
            await clock.sleep_ms(_REPLY_MS)
    except (DriverError, MemoryError) as e:
        log.log("error", "portal: %s" % e)
    finally:
        if access_point:
            access_point.stop()
    log.log("info", "portal: closed" + (", restarting" if saved else ""))
    return saved
