"""The composition root: from the configuration to parts, from parts to loops. The only file that knows everything.

`run()` is called by main.py on the device. Tests build an `App` with their own board, clock and network.
"""

import asyncio
import gc
import time

from micropython import const

from firmware.core.controller import Controller
from firmware.core.errors import ConfigError
from firmware.core.outbox import Outbox
from firmware.core.output import Output
from firmware.core.panel import level
from firmware.core.safety import Safety
from firmware.runtime.clock import Clock
from firmware.runtime.flash import BOOT_RECORD, Store, load_config
from firmware.runtime.local import ControlLoop, SamplingLoop
from firmware.runtime.log import Log
from firmware.runtime.network import NetworkLoop
from firmware.runtime.session import Session
from firmware.runtime.supervisor import Supervisor
from firmware.version import BUILD_UTC, VERSION

_REPL_MS = const(3600000)
_SIT_OUT_MS = const(600000)
_BLINK_MS = const(50)
_GC_BYTES = const(16384)  # collect early and often: what TLS needs lies outside of this heap and must not be eaten by it


class App:
    """`board`: see drivers.board; `net`: an object with `dialer` and `ask_time()`; `boots`: the boot count."""

    def __init__(self, config, board, wifi, clock, rng, say, store, net, boots):
        cloud = config["cloud"]
        self.safety = Safety(config["safety"]["silence_s"], clock.ms())
        self.outbox = Outbox(boots, rng(), clock.ms())
        self.controller = self._controller(config, board, clock.ms(), say)
        networks = config["wifi"]["networks"] if wifi else ()
        self.network = NetworkLoop(clock, rng, say, wifi, networks, net, board)
        self.link = LINKS[cloud["api"], cloud["transport"]](
            cloud, net, clock, rng, say, lambda: self.session.alive()
        )
        probe_ms = cloud["probe_s"] * 1000
        self.session = Session(clock, rng, say, self.link, self.controller, self.network, probe_ms)
        led = config["led"] and board.led(config["led"]["gpio"], config["led"]["active"] == "high")
        control = ControlLoop(
            clock, board, self.controller, self.link.lease, config["buttons"], led, self.state
        )
        sensors = [(s, board.adc(s["gpio"])) for s in config["sensors"]]
        watchdog = config["watchdog_s"] and board.watchdog(config["watchdog_s"] * 1000)
        self.supervisor = Supervisor(clock, rng, say, board, watchdog, store, self.controller)
        add = self.supervisor.add
        add("control", control, 2000)
        add("sampling", SamplingLoop(clock, say, self.controller, sensors), 30000)
        add("network", self.network, 60000)
        add("cloud", self.session, 300000)
        if board.rtc_get() >= BUILD_UTC:
            # After a reset without a power cut the chip's clock still runs.
            clock.set_utc(board.rtc_get())

    def _controller(self, config, board, now, say):
        """Outputs are built at the plain safe level."""
        outputs = []
        drivers = []
        for cfg in config["outputs"]:
            on = "on" in (cfg["safe"], cfg["boot"] if cfg["safe"] == "hold" else "")
            drivers.append(board.output(cfg["gpio"], cfg["active"] == "high", on))
            outputs.append(Output(cfg, on, now))

        def drive(index, on):
            drivers[index].set(on)

        return Controller(outputs, config["sensors"], self.outbox, self.safety, drive, say)

    def state(self):
        """The one word that says how things are, for the LED and the status."""
        if not self.network.up:
            return "no_wifi"
        if not self.network.ready():
            return "no_time"
        if not self.link.lease.held:
            return "unauthorized"
        if self.safety.safe:
            return "safe"
        return "online" if self.session.online else "no_cloud"

    async def shutdown(self):
        """An orderly end: outputs safe, token given back."""
        self.controller.panic()
        await self.link.shutdown()


def _realer_https(*parts):
    from firmware.links.realer_https import connected

    return connected(*parts)


LINKS = {("realer", "https"): _realer_https}
"""One row per cloud API and transport; only the configured one is imported."""


def run(sink):
    """The device's whole life, until Ctrl-C or an exception ends it. `sink(text)` prints a line of the log."""
    from firmware.drivers.board import Board

    board = Board()
    clock = Clock(time.ticks_ms, asyncio.sleep_ms)
    log = Log(clock, sink)
    store = Store()
    record = store.load(BOOT_RECORD)
    boots = record.get("boots", 0)
    log.say("info", "firmware %s, boot %d, reset cause: %s" % (VERSION, boots, board.reset_cause()))
    if record.get("safe_mode"):
        return asyncio.run(sit_out(board, clock, store, record, log.say))
    try:
        app = _build(board, clock, log, store, boots)
    except ConfigError as e:
        log.say("error", str(e))
        return asyncio.run(show_config_error(board, clock, record, e.led))
    try:
        asyncio.run(app.supervisor.run())
    except KeyboardInterrupt:
        # Somebody is at the REPL: the outputs are theirs now, but a board that is forgotten comes back by itself.
        if app.supervisor.watchdog:
            board.watchdog(_REPL_MS)
        store.mark_good()
        asyncio.new_event_loop()
        asyncio.run(app.shutdown())
        raise
    finally:
        app.controller.panic()


def _build(board, clock, log, store, boots):
    config = load_config("config.json", log.say)
    gc.collect()
    gc.threshold(_GC_BYTES)
    log.level = config["log"]["level"]
    wifi = config["wifi"]
    log.hidden = [n["password"] for n in wifi["networks"] if n["password"].reveal()] if wifi else []
    log.hidden.append(config["cloud"]["client_secret"])
    wifi = wifi and board.wifi(wifi["hostname"])
    from firmware.links.net import Net

    net = Net(config, wifi.dns if wifi else list, clock, board.random32, BUILD_UTC)
    return App(config, board, wifi, clock, board.random32, log.say, store, net, boots)


async def sit_out(board, clock, store, record, say):
    """Safe mode, after too many early deaths: the outputs are in their safe state, and the watchdog is not armed. Ten
    minutes for a person at the REPL, then one more try, because nobody may be near."""
    say("error", "safe mode: the last boots died early. Ctrl-C for the REPL; next try in 10 minutes")
    await clock.sleep_ms(_SIT_OUT_MS)
    record["early"] -= 2
    store.save(BOOT_RECORD, record)
    board.reset()


async def show_config_error(board, clock, record, led):
    """Drive what the last good configuration knew to its safe level, and blink until a person comes."""
    for gpio, _, safe in record.get("outputs", ()):
        board.output(gpio, True, bool(safe))
    lamp = led and board.led(led["gpio"], led["active"] == "high")
    while True:
        if lamp:
            lamp.set(level("config_error", clock.ms()))
        await clock.sleep_ms(_BLINK_MS)
