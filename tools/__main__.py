"""The command `realer`, also `python -m tools`: runs one command of COMMANDS, or lists them."""

from __future__ import annotations

import difflib
import importlib
import sys

from tools import common
from tools.repository import INSTALLED, import_device_code

_DEVELOPERS = "For developers"

COMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "A board on the cable": {
        "flash": ("cli.flash", "erase a board and put MicroPython on it"),
        "new": ("cli.new", "write a complete config.json for a heater, a pump, a lock or a greenhouse"),
        "config": ("cli.configure", "write a device's config.json, by questions or for many boards"),
        "ca": ("cli.ca", "find and write the root certificate the device needs for a server"),
        "deploy": (
            "cli.deploy",
            "put this firmware and its configuration on a board; sends only what changed",
        ),
        "labels": ("cli.labels", "a page of labels to print, with QR codes, for the boards of a fleet"),
        "rollout": ("cli.rollout", "update a fleet in steps, and stop if boards fail"),
        "doctor": ("cli.doctor_command", "check network, time, certificates and pins on the board itself"),
        "status": ("cli.board_status", "the state of the board on one screen, without stopping it"),
        "monitor": ("cli.monitor", "show the log of the board, until Ctrl-C"),
        "bundle": ("cli.update_bundle", "build a signed bundle of this firmware for updates over the air"),
        "check_config": ("cli.check_config", "check a config.json: what is wrong, and what would be right"),
        "thinger_check": ("cli.thinger_check", "try a device at a real Thinger.io account"),
    },
    "Without hardware": {
        "demo": ("cli.demo", "simulated cloud and virtual board, running this firmware until Ctrl-C"),
        "smoke": ("cli.smoke", "the demo's scenario without a person"),
        "cloud": ("cli.cloud_command", "simulated cloud: serve, set, show, faults"),
        "fetch": ("cli.fetch", "what demo and tests need: MicroPython, mosquitto and more"),
        "board": ("cli.virtual_board_command", "the virtual board alone, for any cloud"),
    },
    _DEVELOPERS: {
        "image": ("cli.image", "build a MicroPython image with a ROM partition for the firmware"),
        "package": ("build.package", "the lists by which mpremote mip install finds app and engines"),
        "bench": ("checks.bench", "figures: loop stall, handshakes, heap, latency, MQTT"),
        "fleet": ("checks.fleet", "many devices at one cloud: storms, lost events, memory"),
        "fuzz": ("checks.fuzz", "random and damaged bytes for every parser"),
        "simulate": (
            "checks.simulate",
            "days of faults for whole devices in virtual time, checked at every step",
        ),
    },
}
"""Heading -> command -> (module in `tools`, what it is for, in one line)."""


def usage() -> str:
    lines = ["realer COMMAND [...]     realer COMMAND --help"]
    for heading, commands in COMMANDS.items():
        lines += ["", heading] + [f"  {name:<14}{text}" for name, (_, text) in commands.items()]
    lines += ["", "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 130 stopped with Ctrl-C."]
    return "\n".join(lines)


def _show(argv: list[str] | None) -> int:
    print(usage())
    return 0


def _unknown(name: str, known: list[str]) -> str:
    """What to say about a command that there is not. What counts is last, and still on the screen."""
    if name.startswith("-"):
        return f"{usage()}\n\nthe command comes before its options, as in: realer status --port PORT"
    word = name.lower().replace("-", "_")
    near = [other for other in known if word and other.startswith(word)]
    near = near or difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"no command {name!r}; {' or '.join(near)}?\nrealer without a command lists all."
    return f"{usage()}\n\nno command {name!r}"


def main(argv: list[str] | None = None) -> int:
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help", "help"):
        return common.run(_show)
    modules = {name: module for commands in COMMANDS.values() for name, (module, _) in commands.items()}
    if name not in modules:
        print(_unknown(name, list(modules)), file=sys.stderr)
        return 2
    if INSTALLED and name in COMMANDS[_DEVELOPERS]:
        print(f"error: {name} needs the repository\nClone it, and run make setup there.", file=sys.stderr)
        return 1
    import_device_code()
    command: common.Main = importlib.import_module(f"tools.{modules[name]}").main
    return common.run(command, rest)


if __name__ == "__main__":
    sys.exit(main())
