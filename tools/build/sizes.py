"""Compiles every device file with mpy-cross and checks the limits of size.

The compiler is that of the oldest supported MicroPython. The limits are: `.mpy` bytes that a board with each row of
`LINKS` (firmware/app.py) has in memory at the same time, bundled as a board gets them; lines per file; lines per
function. `make sizes` prints tables and one JSON line, and exits 1 when a file does not compile or exceeds a limit. A
function between BETTER and LIMIT is only reported.

A row has in memory what stays, and at its fullest moment what is loaded for a while (docs/ARCHITECTURE.md, "Halves of a
link"), where one TLS connection fits at a time.
"""

import ast
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tools.build.bundle_cache import bundled
from tools.build.bundler import Program, unit_path
from tools.build.mpy import CompileError, compiled
from tools.repository import ROOT, device_files

MPY_BYTES = {"realer-https": 40 * 1024, "thinger-iotmp": 42 * 1024}
MPY_BYTES |= dict.fromkeys(("realino-https", "realino-auto"), 40 * 1024)
MPY_BYTES |= dict.fromkeys(("bootstrap-https", "auto-https"), 42 * 1024)
MPY_BYTES |= dict.fromkeys(("realer-mqtt", "realer-auto"), 48 * 1024)
MPY_BYTES |= dict.fromkeys(("bootstrap-mqtt", "bootstrap-auto", "auto-mqtt", "auto-auto"), 51 * 1024)
"""Limits by row of LINKS: what each has now and up to 6 % more."""
_HALVES = {
    "realer": ("https_iot",),
    "bootstrap": ("https_bootstrap",),
    "realino": ("https_realino",),
    "auto": ("https_bootstrap", "https_realino"),
}
"""By `cloud.api` the HTTPS half; where there are two, one of them at a time."""
_FOR_A_MOMENT = (
    "core.catalog",
    "persistence_writing",
    "links.time_query",
    "links.explaining",
    "runtime.status",
    "drivers.reset_cause",
)
_FOR_WIFI = ("runtime.wifi_joining", "drivers.wifi_control")
_FOR_SILENCE = ("runtime.ladder", "drivers.wifi_control", "links.time_query")
_BESIDE_STEPS = ("links.transport_failures", "links.transport_upkeep")
_BEFORE = ("heap",), ("start", "config_file"), ("start", "settings"), ("start", "roots"), ("start", "app")
"""What bounds the heap, what reads the configuration, and what builds the device: gone before any half is loaded."""
ON_DEMAND = {
    "firmware/updater.mpy", "firmware/update_steps.mpy", "firmware/update.mpy", "firmware/update_client.mpy",
    "firmware/update_rom.mpy", "firmware/update_whole.mpy", "firmware/update_rescue.mpy",
    "firmware/portal.mpy", "firmware/portal_site.mpy", "firmware/safe_mode.mpy",
    "firmware/lan.mpy", "firmware/lan_joining.mpy", "firmware/lan_control.mpy",
    "firmware/buttons.mpy", "firmware/schedules.mpy", "firmware/zone.mpy",
}  # fmt: skip
"""No part of a row: loaded only where updates over the air, the setup portal, a button or a schedule is configured, of
the first two the others only while a bundle is fetched or the portal is open; with a LAN in place of what Wi-Fi loads;
and what runs instead of a row that cannot. The same goes for kinds of sensors and outputs, and their drivers."""
_START = ("boot.py", "main.py")
FILE_LINES = 400
FUNCTION_LINES_BETTER = 30
FUNCTION_LINES = 40


@dataclass(frozen=True)
class Function:
    name: str
    line: int
    lines: int


@dataclass(frozen=True)
class Size:
    """One device file. `mpy` is 0 and `error` the compiler's words when it does not compile."""

    path: PurePosixPath
    lines: int
    mpy: int
    functions: tuple[Function, ...]
    error: str = ""


@dataclass(frozen=True)
class Row:
    """`stays`: what is always in memory; `moments`: what is loaded together for a while. `.mpy` bytes by unit. `link`:
    the one of those that stay that is not loaded yet while the configuration is checked."""

    stays: dict[str, int]
    moments: tuple[dict[str, int], ...]
    link: str

    @property
    def fullest(self) -> dict[str, int]:
        """The largest of the moments."""
        return max(self.moments, key=self._total)

    @property
    def most(self) -> int:
        return self._total(self.fullest)

    def _total(self, units: dict[str, int]) -> int:
        without = self.stays[self.link] if "firmware/settings.mpy" in units else 0
        return sum((self.stays | units).values()) - without


def functions(text: str) -> Iterator[Function]:
    """Every function with its length: from `def` to its last line, without the docstring."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            last = node.end_lineno or node.lineno
            doc = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
            doc_lines = (doc.end_lineno or doc.lineno) - doc.lineno + 1 if doc else 0
            yield Function(node.name, node.lineno, last - node.lineno + 1 - doc_lines)


def measure(root: Path, path: PurePosixPath) -> Size:
    text = (root / path).read_text(encoding="utf-8")
    mpy, error = 0, ""
    try:
        mpy = len(compiled(root / path))
    except CompileError as e:
        error = str(e)
    found = () if error else tuple(functions(text))
    return Size(path, len(text.splitlines()), mpy, found, error)


def over(sizes: list[Size]) -> tuple[list[str], list[str]]:
    """What breaks a limit, and what only exceeds a recommendation: texts for people."""
    broken, better = [], []
    for size in sizes:
        if size.error:
            broken.append(f"{size.path} does not compile: {size.error}")
        if size.lines > FILE_LINES:
            broken.append(f"{size.path} has {size.lines} lines, at most {FILE_LINES}")
        for f in size.functions:
            text = f"{size.path}:{f.line}: {f.name}() has {f.lines} lines"
            if f.lines > FUNCTION_LINES:
                broken.append(f"{text}, at most {FUNCTION_LINES}")
            elif f.lines > FUNCTION_LINES_BETTER:
                better.append(f"{text}, better {FUNCTION_LINES_BETTER}")
    return broken, better


def rows(root: Path) -> dict[str, Row]:
    """What a board with each row of LINKS, "api-transport", has in memory."""
    size = {name: len(code) for name, code in bundled(root).items()}
    always = {name: len(compiled(root / name)) for name in _START}
    found = {}
    for row, link in Program(root).rows.items():
        stays = ("firmware/device.mpy", unit_path(link))
        held = always | {name: size[name] for name in stays}
        found[row] = Row(held, tuple(_moments(row, link, size)), stays[1])
    return found


def _moments(row: str, link: str, size: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """What is loaded together for a while, `.mpy` bytes by unit. The deepest nesting counts: a request while a
    transport changes that finds its connection closed and the token about to end."""

    def units(*names: str) -> dict[str, int]:
        paths = [unit_path(f"firmware.{name}") for name in names]
        return {path: size[path] for path in paths}

    api = row.partition("-")[0]
    yield from (units(*names) for names in (*_BEFORE, _FOR_WIFI, _FOR_SILENCE, ("links.dialing",)))
    yield from (units(name) for name in _FOR_A_MOMENT)
    profiles = [path.removesuffix(".mpy") for path in size if path.startswith("firmware/boards/")]
    yield from (units("start", "settings", path.removeprefix("firmware/")) for path in profiles)
    for half in _HALVES.get(api, ()):
        yield units("links.polling", f"links.{half}", "cloud.large_body")
        asking = ["links.polling", f"links.{half}", "links.dialing", "links.renewal"]
        if half != "https_realino":
            yield units(*asking[:-1], "links.iot_sender")
            asking.append("links.login")
            if link.endswith("transports"):
                asking += ["cloud.mqtt_catalog", "links.transport_steps"]
                yield from (units(*asking, name) for name in _BESIDE_STEPS)
                reading = ["links.polling", f"links.{half}", "links.transport_steps"]
                yield from (units(*reading, f"cloud.mqtt_{name}") for name in ("credentials", "topics"))
                yield units("links.mqtt", "links.mqtt_connecting", "links.dialing", "links.transport_steps")
        yield units(*asking)


def totals(root: Path) -> dict[str, int]:
    """`.mpy` bytes by row of LINKS, "api-transport": what is in memory at the same time at most."""
    return {row: found.most for row, found in rows(root).items()}


def too_large(totals_: dict[str, int]) -> list[str]:
    """What exceeds the limits by row: texts for people."""
    return [
        f"{row} has {total} bytes of .mpy in memory, at most {MPY_BYTES[row]}"
        for row, total in totals_.items()
        if total > MPY_BYTES[row]
    ]


def _listed(by_row: Mapping[str, Row]) -> Iterator[str]:
    """The units of each row, those that stay and those of the fullest moment."""
    for row, found in by_row.items():
        yield f"{found.most:7} B of {MPY_BYTES[row]} at most  {row}"
        for what, units in (("stays", found.stays), ("for a while", found.fullest)):
            yield f"{sum(units.values()):7} B   {what}: " + ", ".join(
                f"{n} {size}" for n, size in units.items()
            )


def main() -> int:
    sizes = [measure(ROOT, path) for path in device_files(ROOT)]
    broken, better = over(sizes)
    by_row = {} if broken else rows(ROOT)
    most = {row: found.most for row, found in by_row.items()}
    broken += too_large(most)
    for size in sizes:
        print(f"{size.mpy:7} B {size.lines:5} lines  {size.path}")
    print(*_listed(by_row), sep="\n")
    for text in better:
        print("better:", text)
    for text in broken:
        print("LIMIT:", text)
    print(json.dumps({"files": len(sizes), "lines": sum(s.lines for s in sizes), "mpy_bytes": most}))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
