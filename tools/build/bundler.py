"""Bundles the device's modules into few units: what is loaded together becomes one `.mpy` (docs/decisions/0013).

Every module costs a device heap for its path, its names, its tables and its imports, about a third of a kilobyte, and
look-ups in the flash at each start. The sources stay many small modules with checked import arrows. A board gets units:

* `firmware.device`: all that stays in memory, whatever the cloud;
* one for each row of `LINKS`: the link with its dialect and engines;
* what is used once: `firmware.config_file`, `firmware.settings`, of `firmware.boards` the chip's, and `firmware.app`,
  which are dropped after it, and `firmware.safe_mode`;
* of `firmware.sensors` and `firmware.outputs` the kinds that are configured. The rules of all kinds are with the
  others, which are loaded only for the check of the configuration;
* what is used on request: `firmware.runtime.status`, for updates `firmware.updater` and `firmware.update`, for the
  setup portal `firmware.portal` and `firmware.portal_site`;
* what a link loads for a while (docs/ARCHITECTURE.md, "Halves of a link"): HTTPS with one generation of the cloud,
  MQTT, what MQTT needs to be read before, what connects it, dialing, and the question for the time.

This module decides which module belongs to which unit; `merger` merges them.
"""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from tools.build.mangler import Mangler
from tools.build.merger import CaptureError, Module, Unit, source_file
from tools.build.mpy import compiled
from tools.build.scopes import BundleError
from tools.build.texts import taken_out
from tools.build.words import listed

_MAIN = "firmware.device"
_APP = "firmware.app"
_ON_DEMAND = (
    "firmware.drivers.reset_cause", "firmware.runtime.buttons", "firmware.schedules", "firmware.core.zone",
    "firmware.core.catalog", "firmware.persistence_writing", "firmware.runtime.wifi_joining",
    "firmware.drivers.wifi_control", "firmware.runtime.status", "firmware.runtime.ladder",
    "firmware.lan", "firmware.runtime.lan_joining", "firmware.drivers.lan_control",
    "firmware.updater", "firmware.update_steps", "firmware.update", "firmware.update_client",
    "firmware.update_rom", "firmware.update_whole", "firmware.update_rescue", "firmware.roots",
    "firmware.portal", "firmware.portal_site",
    "firmware.links.dialing", "firmware.links.time_query", "firmware.links.explaining",
    "firmware.links.login", "firmware.links.iot_sender",
    "firmware.links.https_iot", "firmware.links.https_bootstrap", "firmware.links.https_realino",
    "firmware.cloud.large_body", "firmware.links.renewal",
    "firmware.links.polling", "firmware.links.mqtt", "firmware.cloud.mqtt_catalog",
    "firmware.cloud.mqtt_credentials", "firmware.cloud.mqtt_topics", "firmware.links.transport_steps",
    "firmware.links.transport_upkeep", "firmware.links.transport_failures", "firmware.links.mqtt_connecting",
)  # fmt: skip
_PACKAGE = "firmware."
_FLAT = tuple(f"{_PACKAGE}{folder}." for folder in ("cloud", "core", "drivers", "links", "runtime"))
"""Packages that a device does not have: their units are in `firmware` there. A package takes 200 bytes and more of the
heap, and a unit's name and path stay in the interpreter's tables for ever."""
_BOARDS = "firmware.boards."
_KINDS = ("firmware.sensors.", "firmware.outputs.")
_RULES = "firmware.core.config_rules"
_ON_DEVICE = ("name", "outputs", "input_only", "analog", "adc_max_mv", "strapping", "leds", "psram", "kit")
"""Lines of a profile that `firmware.core.config` asks for."""
_APART = (
    _APP,
    "firmware.heap",
    "firmware.start",
    "firmware.config_file",
    "firmware.settings",
    "firmware.safe_mode",
    *_ON_DEMAND,
)
_LINKS = "LINKS"


def bundled(root: Path) -> dict[str, bytes]:
    """The units as `.mpy` by their path on the device, and their texts beside them; they are all it needs of `firmware`
    and `lib`. Raises CompileError."""
    found: dict[str, bytes] = {}
    units = taken_out(listed(Mangler(sources(root)).texts()))
    with tempfile.TemporaryDirectory(prefix="bundled-") as folder:
        for name, (code, said) in units.items():
            path = unit_path(name)
            if path in found:
                raise BundleError(f"{name}: another unit is {path} on a device as well")
            source = Path(folder, PurePosixPath(path).name).with_suffix(".py")
            source.write_text(_flattened(code, units), encoding="utf-8")
            found[path] = compiled(source)
            if said:
                found[path.removesuffix("mpy") + "txt"] = said
    return found


def unit_path(name: str) -> str:
    """Where a unit is within a slot.

    >>> unit_path("firmware.links.mqtt"), unit_path("firmware.sensors.dht22")
    ('firmware/mqtt.mpy', 'firmware/sensors/dht22.mpy')
    """
    return f"{_on_device(name).replace('.', '/')}.mpy"


def _on_device(name: str) -> str:
    folder = next((each for each in _FLAT if name.startswith(each)), "")
    return _PACKAGE + name.removeprefix(folder) if folder else name


def _flattened(code: str, units: Collection[str]) -> str:
    """The code of a unit, which looks for other units where they are on a device."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in units:
            node.module = _on_device(node.module or "")
        elif isinstance(node, ast.Constant) and (node.value in units or node.value in _FLAT):
            node.value = _on_device(str(node.value))
    return ast.unparse(tree) + "\n"


def sources(root: Path) -> dict[str, str]:
    """The units as Python text by module name."""
    program = Program(root)
    found = {unit: _merged(program, unit) for unit in program.units}
    return found | {unit: _for_device(text) for unit, text in found.items() if unit.startswith(_BOARDS)}


def _for_device(text: str) -> str:
    """A profile without the lines that only the host reads, and of kits their names, LAN and pins alone."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\nname " in node.value:
            lines = [line for line in node.value.split("\n") if line.split(" ")[0] in _ON_DEVICE]
            lines = [_kit_for_device(line) if line.startswith("kit ") else line for line in lines]
            node.value = "\n" + "\n".join(lines) + "\n"
    return ast.unparse(tree) + "\n"


def _kit_for_device(line: str) -> str:
    words = line.split(" ")
    return " ".join(words[:2] + [word for word in words if word.startswith(("lan=", "taken="))])


def _merged(program: Program, unit: str) -> str:
    while True:
        program.renew(unit)
        try:
            return Unit(program, unit).text()
        except CaptureError as error:
            program.captured.setdefault(unit, set()).add(error.name)


class Program:
    """All modules that a device may load, and the units they belong to.

    `captured`: by unit the names that nothing may get there. `buses`: the drivers that only kinds of sensors and
    outputs load, each with these kinds.
    """

    def __init__(self, root: Path):
        self.root = root
        self.captured: dict[str, set[str]] = {}
        self.kinds = [
            folder + path.stem
            for folder in _KINDS
            for path in sorted(root.glob(f"{folder.replace('.', '/')}[!_]*.py"))
        ]
        self.buses = self._buses()
        self.modules: dict[str, Module] = {}
        self.units: dict[str, list[str]] = {_MAIN: []}
        self.dropped = tuple(_dropped(self.module(_MAIN).tree))
        self.rows = dict(self._rows())
        self._closure(_MAIN, _MAIN)
        self._closure(_MAIN, _APP)
        self.units[_MAIN].remove(_APP)
        apart = [unit for unit in _APART if source_file(root, unit)]
        apart += [_BOARDS + path.stem for path in sorted(root.glob("firmware/boards/[!_]*.py"))]
        apart += [*self.kinds, *self.buses]
        for unit in (*apart, *sorted(set(self.rows.values()))):
            self.units[unit] = []
            self._closure(unit, unit)

    def module(self, name: str) -> Module:
        if name not in self.modules:
            path = source_file(self.root, name)
            if not path:
                raise BundleError(f"there is no module {name}")
            module = self.modules[name] = Module(self.root, name, path)
            if name == _RULES:
                _put(module, "RULES", "\n".join([_text(module), *map(_text, self._sources())]))
                _put(module, "KINDS", "")
            elif name.startswith(_KINDS):
                _put(module, "RULES", None)
        return self.modules[name]

    def _sources(self) -> Iterator[Module]:
        """The kinds as they are written, with their rules."""
        for name in self.kinds:
            yield Module(self.root, name, self.root / f"{name.replace('.', '/')}.py")

    def _buses(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for module in self._sources():
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "bus":
                    bus = f"firmware.drivers.{ast.literal_eval(node.args[0])}"
                    found.setdefault(bus, []).append(module.name)
        return found

    def renew(self, unit: str) -> None:
        """Forget the modules of a unit: merging uses them up, and another unit may hold them too."""
        for name in self.units[unit]:
            del self.modules[name]

    def unit_of(self, module: str, asking: str) -> str:
        """Where `asking` finds a module: in itself, in what is always there, or in a unit that is named like it."""
        for unit in (asking, _MAIN, module):
            if module in self.units.get(unit, ()):
                return unit
        raise BundleError(f"{module} is not to be had for {asking}")

    def origin(self, module: str, name: str) -> tuple[str, str]:
        """Where a name that may have been imported itself comes from."""
        ours = self.module(module).ours
        return self.origin(*ours[name]) if name in ours and ours[name][1] else (module, name)

    def _rows(self) -> Iterator[tuple[str, str]]:
        """By row of LINKS, "api-transport", the module of its link: what the row's function imports."""
        app = self.module(_APP)
        tables = [n.value for n in app.tree.body if isinstance(n, ast.Assign) and _assigns(n, _LINKS)]
        rows = [row for t in tables if isinstance(t, ast.Dict) for row in zip(t.keys, t.values, strict=True)]
        for key, value in rows:
            if not key or not isinstance(value, ast.Name):
                raise BundleError(f"{_APP}: a row of {_LINKS} is a tuple and the name of a function")
            function = next(n for n in app.tree.body if getattr(n, "name", "") == value.id)
            aliases = (n for n in ast.walk(function) if isinstance(n, ast.alias))
            link = next(app.targets[n][0] for n in aliases if n in app.targets)
            yield "-".join(ast.literal_eval(key)), link

    def _closure(self, unit: str, name: str, seen: tuple[str, ...] = ()) -> None:
        """Append `name` and what it imports, in the order in which Python would run them."""
        module = self.module(name)
        for imported, _ in module.targets.values():
            there = imported in self.units[_MAIN] or imported in self.units[unit] or imported in seen
            dropped = imported in _APART or (unit == _MAIN and imported.startswith(self.dropped))
            dropped |= imported in self.kinds
            link = imported in self.rows.values() and unit not in self.rows.values()
            if not (there or dropped or link):
                self._closure(unit, imported, (*seen, name))
        if name not in self.units[unit]:
            self.units[unit].append(name)


def _text(module: Module) -> str:
    """The RULES of a module, "" where it has none."""
    found = [node.value for node in _assignments(module, "RULES")]
    return str(ast.literal_eval(found[0])) if found else ""


def _put(module: Module, name: str, value: str | None) -> None:
    """Another value for what a module assigns; None: it does not."""
    for node in _assignments(module, name):
        if value is None:
            module.tree.body.remove(node)
            module.defined.discard(name)
        else:
            node.value = ast.Constant(value)


def _assignments(module: Module, name: str) -> list[ast.Assign]:
    return [node for node in module.tree.body if isinstance(node, ast.Assign) and _assigns(node, name)]


def _assigns(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name


def _dropped(tree: ast.Module) -> list[str]:
    """What device.py drops after use: the arguments of `drop`, beginnings of module names."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [
        ast.literal_eval(argument)
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "drop"
        for argument in call.args
    ]
