"""The composition root: from the configuration to parts, from parts to loops. The only file that knows everything.

`run()` is called by main.py on the device. Tests build an `App` with their own board, clock and network.
"""

import asyncio
import time
from micropython import const

from firmware.core.controller import Controller
from firmware.core.errors import ConfigError
from firmware.core.outbox import MessageIds, Outbox
from firmware.core.output import Output, Relay
from firmware.core.safety import Safety
from firmware.core.timing import Backoff
from firmware.runtime.clock import Clock
from firmware.runtime.flash import Store, load_config
from firmware.runtime.health import BOOT_RECORD, HealthLoop, mark_good, show_config_error, sit_out
from firmware.runtime.local import ControlLoop, SamplingLoop
from firmware.runtime.log import Log
from firmware.runtime.network import NetworkLoop
from firmware.runtime.session import Session
from firmware.runtime.supervisor import Supervisor
from firmware.version import BUILD_UTC, VERSION
from netio.errors import NetError

_REFUSED_CAP_MS = const(900000)
_REPL_MS = const(3600000)


class App:
    """`board`: see drivers.board; `net`: an object with `dialer`, `resolver` and `ask_time()`; `boots`: the boot count."""

    def __init__(self, config, board, wifi, clock, rng, log, store, net, boots):
        self._config = config
        self._log = log
        say = log.channel
        now = clock.ms()
        self.safety = Safety(config["safety"]["silence_s"], now)
        self.outbox = Outbox(MessageIds(boots, rng()))
        self._outputs = [_output(board, cfg, now) for cfg in config["outputs"]]
        self.controller = Controller(
            [output for output, _ in self._outputs],
            config["sensors"],
            self.outbox,
            self.safety,
            lambda index, on: self._outputs[index][1].set(on),
            say("control"),
        )
        self.network = NetworkLoop(
            clock,
            rng,
            wifi,
            [(n["ssid"], n["password"]) for n in config["wifi"]["networks"]] if wifi else [],
            net.ask_time,
            NetError,
            board.rtc_set,
            say("network"),
        )
        self.link = LINKS[config["cloud"]["api"], config["cloud"]["transport"]](
            config["cloud"], net, clock, rng, say("cloud"), self._link_alive
        )
        probe_ms = config["cloud"]["probe_s"] * 1000
        refusals = Backoff(probe_ms, max(_REFUSED_CAP_MS, probe_ms), probe_ms // 2)
        self.session = Session(
            clock, rng, self.link, self.controller, self.network.ready, refusals, say("cloud")
        )
        self._supervise(config, board, clock, rng, say, store)
        rtc = board.rtc_get()
        if rtc >= BUILD_UTC:
            # After a reset without a power cut the clock still runs.
            clock.set_utc(rtc)

    def _supervise(self, config, board, clock, rng, say, store):
        watchdog = board.watchdog(config["watchdog_s"] * 1000) if config["watchdog_s"] else None
        feed = watchdog.feed if watchdog else lambda: None
        self.supervisor = Supervisor(
            clock, rng, say("super"), self.safety, feed, board.reset, self.controller.panic
        )
        outputs = config["outputs"]
        buttons = [
            (
                board.button(b["gpio"], b["active"] == "low", b["pull"]),
                b["debounce_ms"],
                [o["pin_port"] for o in outputs].index(b["toggles"]),
            )
            for b in config["buttons"]
        ]
        led = config["led"] and board.led(config["led"]["gpio"], config["led"]["active"] == "high")
        sensors = [(s, board.adc(s["gpio"])) for s in config["sensors"]]
        add = self.supervisor.add
        add(
            "control",
            ControlLoop(
                clock, self.controller, self.link.lease, buttons, led, self.state, say("control")
            ).run,
            2000,
        )
        add("sampling", SamplingLoop(clock, sensors, self.controller, say("sensor")).run, 10000)
        add("network", self.network.run, 60000)
        add("cloud", self.session.run, 300000)
        add("health", HealthLoop(clock, store, board.heap, self.outbox, say("health")).run, 30000)

    def _link_alive(self):
        self.session.alive()

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

    async def run(self):
        """Until cancelled."""
        await self.supervisor.run()

    async def shutdown(self):
        """An orderly end: outputs safe, token given back."""
        self.controller.panic()
        await self.link.shutdown()


def _output(board, cfg, now):
    """(Output, driver), built at the plain safe level."""
    on = cfg["safe"] == "on" or (cfg["safe"] == "hold" and cfg["boot"] == "on")
    driver = board.output(cfg["gpio"], cfg["active"] == "high", on)
    relay = Relay(cfg["min_on_s"], cfg["min_off_s"], cfg["max_on_s"], on, now, cfg["mode"] == "switch")
    return Output(cfg, relay), driver


def _realer_https(cfg, net, clock, rng, say, alive):
    from firmware.links.realer_api import RealerApi
    from firmware.links.realer_https import RealerHttps
    from http1.client import Client

    host, _, port = cfg["base_url"][len("https://") :].rstrip("/").partition(":")
    client = Client(net.dialer, clock, host, int(port or 443))
    return RealerHttps(RealerApi(cfg, client, clock, rng, say, alive), clock, say)


LINKS = {("realer", "https"): _realer_https}
"""One row per cloud API and transport; only the configured one is imported."""


def run(sink):
    """The device's whole life, until Ctrl-C or an exception ends it. `sink(text)` prints a line of the log."""
    from firmware.drivers.board import Board

    board = Board()
    clock = Clock(time.ticks_ms, asyncio.sleep_ms)
    log = Log(clock, sink)
    say = log.channel("main")
    store = Store()
    record = store.load(BOOT_RECORD, {})
    say(
        "info",
        "firmware %s, boot %d, reset cause: %s" % (VERSION, record.get("boots", 0), board.reset_cause()),
    )
    if record.get("safe_mode"):
        return asyncio.run(sit_out(board, clock, store, record, say))
    try:
        app = _build(board, clock, log, store, record, say)
    except ConfigError as e:
        say("error", str(e))
        return asyncio.run(show_config_error(board, clock, record, e.led))
    try:
        asyncio.run(app.run())
    except KeyboardInterrupt:
        # Somebody is at the REPL: the outputs are theirs now, but a board that is forgotten comes back by itself.
        app.controller.panic()
        board.watchdog(_REPL_MS)
        mark_good(store, say)
        asyncio.new_event_loop()
        asyncio.run(app.shutdown())
        raise
    finally:
        app.controller.panic()


def _build(board, clock, log, store, record, say):
    config = load_config("config.json", say)
    log.level = config["log"]["level"]
    networks = config["wifi"]["networks"] if config["wifi"] else []
    for secret in [config["cloud"]["client_secret"]] + [n["password"] for n in networks]:
        log.hide(secret)
    wifi = board.wifi(config["wifi"]["hostname"]) if config["wifi"] else None
    from firmware.links.net import Net

    net = Net(config, wifi.dns if wifi else list, clock, board.random32, BUILD_UTC)
    return App(config, board, wifi, clock, board.random32, log, store, net, record.get("boots", 0))
