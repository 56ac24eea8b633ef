"""What a board gets: the compiled firmware as a slot holds it, and the few files beside the slots.

A slot is a folder with everything that an update replaces; in the root are what starts a slot (`boot.py`, `main.py`)
and what is the owner's (`config.json` and certificates).
"""

from __future__ import annotations

import codecs
from pathlib import Path

from tools.build import bundler, mpy
from tools.build.bundle_cache import bundled

STARTERS = ("boot.py", "main.py")
CONFIG = "config.json"
_OPTIONAL = {
    "portal": ("portal", "portal_site"),
    "lan": ("lan", "lan_joining", "lan_control"),
    "update": (
        "updater", "update_steps", "update", "update_client", "update_rom", "update_whole", "update_rescue",
    ),
}  # fmt: skip
"""Section of the configuration -> the units that it alone needs."""
_FIRST_KINDS = ("firmware.sensors.thermistor", "firmware.sensors.ldr_sensor", "firmware.outputs.setpoint")
"""Every board gets these: a firmware that is older than the files of kinds fetches an update by traits without kinds,
and its sensors and outputs can only be of these."""
_OVER = {"https": ("https", "mqtt", "auto"), "mqtt": ("mqtt", "auto")}
_LOADED = {
    ("https", ("realer",)): ("links.https_iot",),
    ("https", ("bootstrap", "auto")): ("links.https_bootstrap",),
    ("https", ("realino", "auto")): ("links.https_realino",),
    ("https", ("realer", "bootstrap", "auto")): ("links.login", "links.iot_sender"),
    ("https", ("realer", "bootstrap", "realino", "auto")): (
        "links.polling", "cloud.large_body", "links.renewal",
    ),
    ("mqtt", ("realer", "bootstrap", "auto")): (
        "links.mqtt", "links.mqtt_connecting", "cloud.mqtt_catalog", "cloud.mqtt_credentials", "cloud.mqtt_topics",
        "links.transport_steps", "links.transport_upkeep", "links.transport_failures",
    ),
}  # fmt: skip
"""What links load for a while (tools/build/bundler.py): for which transport, and all that need it, and for which values
of `cloud.api`."""


def slot_files(tree: Path) -> dict[str, bytes]:
    """Content by path within a slot: the firmware, bundled and compiled, and the texts beside its units. Raises
    tools.build.mpy.CompileError."""
    return bundled(tree)


def names(tree: Path) -> list[str]:
    """All names of the code that a board gets, sorted. Raises tools.build.mpy.CompileError."""
    code = [code for path, code in slot_files(tree).items() if path.endswith(".mpy")]
    code += [mpy.compiled(tree / name) for name in STARTERS]
    return sorted({name for part in code for name in mpy.names(part)})


def conditions(tree: Path) -> dict[str, str]:
    """By unit, and by file of its texts, what a configuration has to have for it to be needed, traits of
    `firmware.core.romslot` with commas between them; units that every configuration needs are missing."""
    found = {f"firmware/{unit}.mpy": section for section, units in _OPTIONAL.items() for unit in units}
    program = bundler.Program(tree)
    links = program.rows
    users = program.buses | {name: [name] for name in program.kinds if name not in _FIRST_KINDS}
    for name, kinds in users.items():
        found[bundler.unit_path(name)] = ",".join(kind.removeprefix("firmware.") for kind in kinds)
    for row, module in links.items():
        path = bundler.unit_path(module)
        found[path] = f"{found[path]},{row}" if path in found else row
    for (transport, apis), names in _LOADED.items():
        rows = [row for api in apis for over in _OVER[transport] if (row := f"{api}-{over}") in links]
        found |= {bundler.unit_path(f"firmware.{name}"): ",".join(rows) for name in names}
    texts = [path for path in slot_files(tree) if path.endswith(".txt")]
    units = {text: text.removesuffix("txt") + "mpy" for text in texts}
    return found | {text: found[unit] for text, unit in units.items() if unit in found}


def starters(tree: Path) -> dict[str, bytes]:
    """What the chip runs by name, as source: the port looks for no other form."""
    return {name: (tree / name).read_bytes() for name in STARTERS}


def owners_files(config: Path, ca_files: list[str]) -> dict[str, bytes]:
    """The configuration, without the mark that some editors put in front, and the certificates it names, from beside
    it. Raises OSError."""
    return {CONFIG: config.read_bytes().removeprefix(codecs.BOM_UTF8)} | {
        name: (config.parent / name).read_bytes() for name in ca_files
    }
