"""The composition root: builds the parts from the configuration, and the loops from the parts. The only file that
imports all of them.

It is needed only at startup and unloaded once the device is built. So no part may keep a reference to a function of
this file, which would keep the whole file in memory. Tests `build` a device with their own board, clock and network.
"""

import sys
from micropython import const

from journal.files import Journal, TwoSlots
from journal.recover import latest, replay

from firmware.core.command import CommandState
from firmware.core.controller import Controller
from firmware.core.debounce import Debounce
from firmware.core.divider import Divider
from firmware.core.outbox import Outbox, Reporter
from firmware.core.output import Output
from firmware.core.safety import Lease, Safety
from firmware.device import (
    Device,
    drop,
    import_apply_catalog,
    import_ladder,
    import_persistence_writing,
    import_wifi_joining,
)
from firmware.links.account import Account
from firmware.runtime.cloud_loop import CloudLoop
from firmware.runtime.control_loop import ControlLoop, Relays
from firmware.runtime.network_loop import NetworkLoop
from firmware.runtime.persistence import Persistence
from firmware.runtime.restore import restore
from firmware.runtime.sampling_loop import SamplingLoop
from firmware.runtime.supervisor import Supervisor, until_first_fails
from firmware.version import BUILD_UTC
from units.loader import Unit

_SENSORS = "firmware.sensors."
_OUTPUTS = "firmware.outputs."
_ANY = const(1000000000)


def start(config, board, log, store, boots):
    """Return the Device of a normalized `config` on real hardware. ConfigError if a certificate cannot be used."""
    from firmware.links.net import Net
    from firmware.runtime.console import ConsoleLoop

    clock = log.clock
    interface = _interface(config, board, clock.sleep_ms)
    net = Net(config, interface.dns if interface else list, clock, board.random32, BUILD_UTC, board)
    net.ends = config["roots"]
    device = build(config, board, interface, clock, board.random32, log.log, store, net, boots)
    if config["lan"]:
        from firmware.lan import import_lan_ladder

        device.network.import_ladder = import_lan_ladder
    console = ConsoleLoop(clock, device, log.sink)
    device.supervisor.add("console", console, 60000)
    log.hidden += device.link.masked()
    if config["portal"]:
        from firmware.portal import PortalLoop

        portal = PortalLoop(device, config["portal"], log, board, store)
        device.supervisor.add("portal", portal, 60000)
    _forget(board, interface, net, log, device.link)
    _forget_parts(console, store)
    if config["cloud"]["api"] == "thinger":
        client = device.link.client
        _forget_parts(client, client.session, device.link.resources)
        type(device.link.resources).named = None
    return device


def _interface(config, board, sleep_ms):
    """Return the Wi-Fi or LAN interface, None if the configuration has neither and the network is up by other means."""
    wifi, lan = config["wifi"], config["lan"]
    if not (wifi or lan):
        return None
    if wifi:
        importing = import_wifi_joining
        found = board.interface("Wi-Fi", wifi["hostname"], power_save(config), wifi["country"])
    else:
        from firmware.lan import import_lan_joining as importing

        fixed = lan["ip"] and (lan["ip"], lan["netmask"], lan["gateway"], lan["gateway"])
        found = board.interface("LAN", lan["hostname"], lan["phy"], fixed)
    found.joining = Unit(importing, sleep_ms)
    return found


def known_networks(config):
    """Return (SSID, password, BSSID or None, address or None) of each configured network, for WifiConnectPolicy."""
    found = []
    for item in config["wifi"]["networks"] if config["wifi"] else ():
        bssid = item["bssid"] and bytes([int(part, 16) for part in item["bssid"].split(":")])
        fixed = item["ip"] and (item["ip"], item["netmask"], item["gateway"], item["dns"] or item["gateway"])
        found.append((item["ssid"], item["password"], bssid, fixed))
    return found


def power_save(config):
    """Return the power-save mode of Wi-Fi, see drivers.wifi_control. It is 0 (none) by default if the link keeps a
    connection open, because power saving delays what that receives."""
    saves = config["wifi"]["power_save"]
    if saves is None:
        return int(config["cloud"]["transport"] == "https")
    return 2 if saves else 0


def _forget(board, interface, net, log, link):
    """Free the 4 KB of constructors and methods that are not needed again once the device is built.

    They are set to None, because a class keeps the value of a deleted attribute (MicroPython's py/map.c).
    """
    type(board).interface = type(board).bus = type(board).rtc_get = type(link).masked = None
    Outbox.restore = Supervisor.add = None
    parts = [type(part) for part in (log, log.clock, interface, net, link, link.lease) if part]
    for once in parts + [board.output, board.adc, board.button, board.led] + _ONCE:
        once.__init__ = None
    for name in list(sys.modules):
        if name[: len(_SENSORS)] in (_SENSORS, _OUTPUTS):
            for once in ("driver", "__file__"):
                setattr(sys.modules[name], once, None)
    drop("firmware.sensors", "firmware.outputs")


def _forget_parts(*parts):
    for part in parts:
        type(part).__init__ = None


def build(config, board, interface, clock, rng, log, store, net, boots):
    """Return the Device of a normalized `config`. `board`: see drivers.board. `interface`: Wi-Fi, LAN or None. `net`:
    see links.net. `boots`: the boot count."""
    cloud = config["cloud"]
    update = config["update"]
    # A link's requests depend on the number of commands, and it keeps only the rows of a large catalog for these ports.
    cloud["commands"] = len(config["outputs"]) + bool(update)
    config["items"] = items(config["sensors"])
    cloud["ports"] = [item["pin_port"] for item in config["outputs"] + config["items"]]
    more = []
    if update:
        from firmware.updater import UpdateLoop, release

        cloud["ports"].append(update["pin_port"])
        more.append(release(update, store))
    controller = _controller(config, board, clock.ms(), log, Outbox(boots, rng(), clock.ms()), more)
    network = NetworkLoop(clock, rng, log, interface, known_networks(config), net, board)
    network.controller, network.import_ladder = controller, import_ladder
    link = LINKS[cloud["api"], cloud["transport"]](
        controller, _without(cloud, "ca_files", "probe_s"), net, clock, rng, log
    )
    persistence = _persistence(clock, log, controller, link.lease, store.folder)
    net.floor_s = max(BUILD_UTC, persistence.utc)
    catalog_unit = Unit(import_apply_catalog, clock.sleep_ms)
    cloud_loop = CloudLoop(clock, rng, log, link, controller, network, cloud["probe_s"] * 1000, catalog_unit)
    network.cloud_loop = cloud_loop
    device = Device(clock, board, store, network, link, cloud_loop, controller)
    control, sampling = _loops(config, board, clock, log, controller, link.lease, device.state, store)
    watchdog = config["watchdog_s"] and board.watchdog(config["watchdog_s"] * 1000)
    device.supervisor = Supervisor(clock, rng, log, board, watchdog, store, controller)
    add = device.supervisor.add
    add("control", control, 2000)
    add("sampling", sampling, 30000)
    add("network", network, 60000)
    add("cloud", cloud_loop, 300000)
    _add_schedules(add, config, clock, log, controller)
    if update:
        add("update", UpdateLoop(device, update, *more, clock, rng, log, store, board.reset), 120000)
    if board.rtc_get() >= net.floor_s:
        # The chip's clock runs on through a reset without a power cut.
        clock.set_utc(board.rtc_get())
    return device


def _add_schedules(add, config, clock, log, controller):
    plans = [(output, output.cfg["schedule"]) for output in controller.outputs if "schedule" in output.cfg]
    if plans:
        from firmware.schedules import ScheduleLoop

        add("schedule", ScheduleLoop(clock, log, controller.safety, config["time"]["zone"], plans), 60000)


def _loops(config, board, clock, log, controller, lease, state, store):
    led = config["led"] and board.led(config["led"]["gpio"], config["led"]["active"] == "high")
    buttons = [_button(cfg, board, controller, store) for cfg in config["buttons"]]
    control = ControlLoop(clock, controller, lease, buttons, led, state)
    drivers = [
        (_driver(cfg, board, clock, store), cfg["period_s"], cfg["count"]) for cfg in config["sensors"]
    ]
    _share([driver for driver, _, _ in drivers], "shared")
    _shrink(config["items"])
    for output in controller.outputs:
        output.cfg = _without(output.cfg, "pin_port", "name", "gpio", "active", "boot")
    _share(controller.outputs, "cfg")
    return control, SamplingLoop(clock, log, controller, drivers)


def _button(cfg, board, controller, store):
    """Return (driver, Debounce or SpecialButton, index of its output)."""
    index = [output.pin_port for output in controller.outputs].index(cfg["toggles"])
    if cfg["mode"] == "toggle" and not (cfg["opens_portal"] or cfg["factory_reset"]):
        button = Debounce(cfg["debounce_ms"])
    else:
        from firmware.runtime.buttons import SpecialButton

        button = SpecialButton(cfg, controller, index, store)
    return board.button(cfg["gpio"], cfg["active"] == "low", cfg["pull"]), button, index


def _driver(cfg, board, clock, store):
    """Return the driver of a sensor, from the file of its kind, which is loaded only if such a sensor is configured."""
    return _loaded(_SENSORS + cfg["kind"])(cfg, board, clock, store)


def _loaded(name):
    return __import__(name, None, None, ("driver",)).driver


def _share(parts, name):
    """Let all `parts` whose attributes `name` are equal share one object, to save memory."""
    known = []
    for part in parts:
        shared = getattr(part, name, None)
        if shared in known:
            setattr(part, name, known[known.index(shared)])
        known.append(shared)


async def local(config, board, log):
    """Safe mode: run outputs in their safe state, with buttons, limits and regulation, and nothing else. Ends only with
    an exception."""
    clock = log.clock
    now = clock.ms()
    config["items"] = items(config["sensors"])
    controller = _controller(config, board, now, log.log, Outbox(0, 0, now))
    loops = _loops(config, board, clock, log.log, controller, Lease(now), _safe, None)
    try:
        await until_first_fails(*[loop.run(_safe) for loop in loops])
    finally:
        controller.force_safe()


def _safe():
    """Stands for `feed`, which safe mode does not need, and for `state`, which the LED shows."""
    return "safe"


def _controller(config, board, now, log, outbox, more=()):
    """Return the Controller. Each output is initialized to its safe level; but one in an interlock group, or with a
    minimum off time, to on only if its boot level is on too."""
    outputs = []
    relays = Relays()
    for cfg in config["outputs"]:
        on = "on" in (cfg["safe"], cfg["boot"] if cfg["safe"] == "hold" else "")
        on = on and "on" in (cfg["boot"], "" if cfg["interlock"] or cfg["min_off_s"] else "on")
        if cfg["mode"] == "switch" or (cfg["mode"] == "setpoint" and "stall_s" not in cfg):
            # Nearly every device has these two, so they are not in a file of their own.
            driver = board.output(cfg["gpio"], cfg["active"] == "high", on)
            output = Output(cfg, on, now)
        else:
            driver, output = _loaded(_OUTPUTS + cfg["mode"])(cfg, board, on, now, log)
        relays.drivers.append(driver)
        outputs.append(output)
    safety = Safety(config["safety"]["silence_s"], now)
    return Controller(outputs, config["items"], outbox, safety, relays.drive, log, more)


def items(sensors):
    """Return the items for the values that `sensors` read, in order. A sensor's own value comes first, then those that
    nested objects describe, sorted by key, which inherit `heartbeat_s` and `keep`. `kind` becomes the cloud's word."""
    found = []
    for cfg in sensors:
        more = sorted([key for key in cfg if isinstance(cfg[key], dict)])
        cfg["count"] = 1 + len(more)
        for key in more:
            found.append({"kind": key, "heartbeat_s": cfg["heartbeat_s"], "keep": cfg["keep"]})
            found[-1].update(cfg[key])
        found.insert(len(found) - len(more), dict(cfg))
    for item in found:
        item["kind"] = item.get("cloud_kind") or item["kind"]
        for key, default in (("deadband", 0), ("min", -_ANY), ("max", _ANY)):
            item.setdefault(key, default)
    return found


def _shrink(items):
    """Remove from each of `items` what is not needed after the start."""
    for item in items:
        kept = {key: item[key] for key in ("pin_port", "name", "kind", "min", "max")}
        for key in ("min", "max"):
            # A small integer takes no heap.
            kept[key] = int(kept[key]) if kept[key] == int(kept[key]) else kept[key]
        item.clear()
        item.update(kept)


def _without(section, *keys):
    """Return a copy without these keys. Removing them from the dict itself would not free its slots."""
    return {key: section[key] for key in section if key not in keys}


def _persistence(clock, log, controller, lease, folder):
    journal = Journal(folder + "events")
    slots = TwoSlots(folder + "state")
    persistence = Persistence(
        clock, log, controller, lease, Unit(import_persistence_writing, clock.sleep_ms), folder
    )
    restore(persistence, replay(journal), latest(slots))
    persistence.size, persistence.generation = journal.size, slots.generation
    return persistence


def _polling(controller, *parts):
    from firmware.links.polling import Polling

    return Polling(Account(*parts))


def _transports(controller, *parts):
    from firmware.links.transports import Transports

    return Transports(Account(*parts))


def _thinger(controller, *parts):
    from firmware.links.thinger import Thinger

    return Thinger(*parts, controller)


_ONCE = [
    Account, Controller, CommandState, Reporter, Outbox, Output, Safety, Device, Persistence, Relays, ControlLoop,
    Debounce, Divider, SamplingLoop, NetworkLoop, CloudLoop, Supervisor,
]  # fmt: skip
"""Classes that are not instantiated after the start."""


LINKS = {
    ("auto", "auto"): _transports,
    ("auto", "https"): _polling,
    ("auto", "mqtt"): _transports,
    ("bootstrap", "auto"): _transports,
    ("bootstrap", "https"): _polling,
    ("bootstrap", "mqtt"): _transports,
    ("realer", "auto"): _transports,
    ("realer", "https"): _polling,
    ("realer", "mqtt"): _transports,
    ("realino", "auto"): _polling,
    ("realino", "https"): _polling,
    ("thinger", "iotmp"): _thinger,
}
"""The function that builds the link, by cloud API and transport; only that link is imported. Its arguments: controller,
the section `cloud` of the configuration, net, clock, rng and log."""
