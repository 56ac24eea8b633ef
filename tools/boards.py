"""What is known about the chips and the kits with one on it: `firmware/boards`, as the host reads it.

A module there has the text PROFILE, a line for each fact: `key value`, GPIOs as in the rules of the configuration
(`0|2|4..7`). A board loads the one of its chip at its start, checks the configuration by it, and drops it. So whoever
adds a chip writes that file, and `realer package` puts what `boot.py` needs of it there. The lines:

    name            as messages call the chip; in small letters and without the hyphen it is the value of `board`
    outputs         GPIOs that it can drive, and that are neither flash chip, USB nor console
    input_only      those without a driver and without a resistor inside, which only read
    analog          those of ADC1; ADC2 (`adc2`) is shared with Wi-Fi
    adc_max_mv      what reads as more than that is taken for an input at the supply
    strapping       those that decide at reset how the chip starts
    leds            those of them that have the LED of a kit, which the status LED may use
    pins            those that MicroPython's port knows; all others are a ValueError there
    flash psram usb console    what those are for
    adc_linear_mv adc_reads_mv    where the ADC is linear at 11 dB, and what its calibrated reading can be
    pulled_up pulled_down    by a resistor inside, from reset until the program drives it
    glitching       those that the chip itself drives for some microseconds at power-up
    offset          where in the flash an image begins
    image           of micropython.org: the file is called that, and the folder of its page too
    memory          whether the figures of `tools/virtual_board/memory.py` were measured on it
    example         pins of the parts of `config.example.json`, led with its level; of a kit that needs others, after
                    its name
    kit             name, the LED on it (`none`, `GPIO:level`, or `ws2812:GPIO`, which is no status LED), then what is
                    printed beside its pins: `IO*` for IO0, IO1 and so on, `TX=1` for a single one. `taken=`: pins that
                    the kit itself needs; `lan=`: its Ethernet, PHY:address:mdc:mdio:power:clock:in or out
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from firmware.core.config import choices, fact
from tools.repository import ROOT

CLASSIC = "esp32"
_EXAMPLE = {"outputs": ("pump", "heater"), "sensors": ("room", "daylight"), "buttons": ("button",)}
_WITH_PINS = ("outputs", "sensors", "buttons")
PINS = ("gpio", "sda", "scl")
"""Keys of an item that name a pin."""


@dataclass(frozen=True)
class Kit:
    """`led`: (GPIO, active level), None: none that the device can use; `ws2812`: the GPIO of one, -1: none. `printed`:
    GPIO by the name printed beside it; `pattern`: what is before the number of all others; `taken`: pins that the kit
    itself needs; `lan`: its Ethernet, "" without."""

    name: str
    led: tuple[int, str] | None
    ws2812: int
    printed: dict[str, int]
    pattern: str | None
    taken: frozenset[int] = frozenset()
    lan: str = ""


@dataclass(frozen=True)
class Board:
    """A chip, and the kit it is on if that is known. `profile`: the text of `firmware/boards`."""

    chip: str
    profile: str
    kit: Kit | None = None
    kits: dict[str, Kit] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As it is called in messages, such as ESP32-C3."""
        return self.fact("name")

    @property
    def example(self) -> dict[str, Any]:
        """GPIO by part of the example configuration, that of `led` with its level."""
        own = self.fact(f"example {self.kit.name}") if self.kit else ""
        parts = dict(part.split("=") for part in (own or self.fact("example")).split(" "))
        gpio, _, level = parts.pop("led").partition(":")
        return {name: int(number) for name, number in parts.items()} | {"led": (int(gpio), level)}

    def fact(self, key: str) -> str:
        return fact(self.profile, key)

    def gpios(self, key: str) -> frozenset[int]:
        """The GPIOs of a line, or of `inputs`: all that can be read."""
        return numbers(choices(self.profile, key))

    def span_mv(self, key: str) -> tuple[int, int]:
        low, _, high = self.fact(key).partition("..")
        return int(low), int(high)

    @property
    def flash_offset(self) -> int:
        return int(self.fact("offset"), 16)

    @property
    def free(self) -> frozenset[int]:
        """GPIOs on which a relay is safe, whatever its level: the chip leaves them alone from reset on."""
        taken = ("strapping", "pulled_up", "pulled_down", "glitching", "psram")
        return self.offered("outputs").difference(*(self.gpios(key) for key in taken))

    def offered(self, key: str) -> frozenset[int]:
        """The same as `gpios`, without those that the kit itself needs."""
        return self.gpios(key) - (self.kit.taken if self.kit else frozenset())

    def use(self, gpio: int) -> str:
        """What a GPIO that nobody may have is for; "" of any other that is there."""
        for key, words in _USES.items():
            if gpio in self.gpios(key):
                return words
        return "" if gpio in self.gpios("inputs") else "not there"


_USES = {"flash": "flash chip", "usb": "USB", "console": "console"}


def numbers(rule: str) -> frozenset[int]:
    """
    >>> sorted(numbers("0|2..4"))
    [0, 2, 3, 4]
    """
    found = set()
    for word in rule.split("|"):
        low, _, high = word.partition("..")
        if low:
            found |= set(range(int(low), int(high or low) + 1))
    return frozenset(found)


@cache
def chips() -> dict[str, Board]:
    """All there are, by the value of `board`."""
    names = sorted(path.stem for path in Path(ROOT, "firmware/boards").glob("esp*.py"))
    return {name: _board(name) for name in names}


def _board(chip: str) -> Board:
    profile = importlib.import_module(f"firmware.boards.{chip}").PROFILE
    kits = [_kit(line) for line in profile.split("\n") if line.startswith("kit ")]
    return Board(chip, profile, kits={kit.name: kit for kit in kits})


def _kit(line: str) -> Kit:
    _, name, led, *printed = line.split(" ")
    gpio, _, level = led.removeprefix("led=").partition(":")
    own = dict(word.split("=") for word in printed if word.startswith(("lan=", "taken=")))
    single = dict(word.split("=") for word in printed if "=" in word and word.split("=")[0] not in own)
    prefixes = [word.removesuffix("*") for word in printed if word.endswith("*")]
    return Kit(
        name,
        (int(gpio), level) if gpio.isdigit() else None,
        int(level) if gpio == "ws2812" else -1,
        {word: int(number) for word, number in single.items()},
        prefixes[0] if prefixes else None,
        numbers(own.get("taken", "")),
        own.get("lan", ""),
    )


def find(name: str) -> Board | None:
    """The chip or kit that `board` of a configuration names."""
    for board in chips().values():
        if name == board.chip:
            return board
        if name in board.kits:
            return Board(board.chip, board.profile, board.kits[name], board.kits)
    return None


def named(name: str) -> Board:
    """The same. Raises KeyError."""
    board = find(name)
    if not board:
        raise KeyError(name)
    return board


def on(board: Board, machine: str) -> Board:
    """The same, on which MicroPython calls itself `machine`: with PSRAM, some of the pins are that one's."""
    if "SPIRAM" not in machine:
        return board
    return replace(board, profile=board.profile.replace("\npsram ", "\ntaken "))


def drives() -> dict[str, frozenset[int]]:
    """GPIOs that may be driven, by chip; by kit where it needs some of them itself; by chip with `+psram`."""
    found = {}
    for chip, board in chips().items():
        outputs = board.gpios("outputs")
        found[chip] = outputs
        found |= {kit.name: outputs - kit.taken for kit in board.kits.values() if kit.taken}
        if outputs & board.gpios("psram"):
            found[f"{chip}+psram"] = outputs - board.gpios("psram")
    return found


def every_name() -> list[str]:
    """What `board` may say."""
    return [name for board in chips().values() for name in choices(board.profile, "boards").split("|")]


def of(raw: Any) -> Board:
    """What the configuration `raw`, wrong as it may be, is for; a classic ESP32 where it does not say."""
    name = raw.get("board") if isinstance(raw, dict) else None
    return (find(name) if isinstance(name, str) else None) or chips()[CLASSIC]


def by_machine(machine: str) -> str:
    """The chip that a MicroPython calls itself by (`os.uname().machine`), or esptool ("ESP32-C3 (QFN32)"); "" of none.

    >>> by_machine("ESP32C3 module with ESP32-C3"), by_machine("LOLIN_S2_MINI with ESP32-S2FN4R2")
    ('esp32c3', 'esp32s2')
    >>> by_machine("Generic ESP32 module with ESP32"), by_machine("ESP32-D0WD-V3 (revision v3.1)")
    ('esp32', 'esp32')
    """
    name = machine.rpartition("with ")[2].lower().replace("-", "")
    if not name.startswith("esp32"):
        return ""
    found = re.match(r"esp32[schp][1-9]", name)
    return found[0] if found else CLASSIC


def gpio_of(board: Board, printed: str) -> int | None:
    """The GPIO that a name printed on the board stands for, None: there is no such name."""
    if board.kit and printed.upper() in board.kit.printed:
        return board.kit.printed[printed.upper()]
    prefixes = ["GPIO", "IO"] + ([board.kit.pattern] if board.kit and board.kit.pattern is not None else [])
    for prefix in prefixes:
        digits = printed.upper().removeprefix(prefix)
        if digits.isdigit() and printed.upper() == f"{prefix}{digits}":
            return int(digits)
    return None


def printed(board: Board, gpio: int) -> str:
    """What is printed beside a pin, as far as that is known: the opposite of `gpio_of`."""
    if board.kit:
        for name, number in board.kit.printed.items():
            if number == gpio:
                return name
    pattern = board.kit.pattern if board.kit else None
    return f"{'GPIO' if pattern is None else pattern}{gpio}"


def with_numbers(raw: Any, board: Board) -> Any:
    """The configuration with the number of each GPIO in place of its printed name, as the device wants it; what is no
    such name stays. The very same object where there is none."""
    if not isinstance(raw, dict):
        return raw
    changed: dict[str, Any] = {}

    def mended(item: Any) -> Any:
        if not isinstance(item, dict):
            return item
        names = {key: item[key] for key in PINS if isinstance(item.get(key), str)}
        found = {key: number for key, name in names.items() if (number := gpio_of(board, name)) is not None}
        if isinstance(item.get("close"), dict) and mended(item["close"]) is not item["close"]:
            found["close"] = mended(item["close"])
        return item | found if found else item

    for section in _WITH_PINS:
        items = raw.get(section)
        if isinstance(items, list) and any(mended(item) is not item for item in items):
            changed[section] = [mended(item) for item in items]
    if mended(raw.get("led")) is not raw.get("led"):
        changed["led"] = mended(raw.get("led"))
    return raw | changed if changed else raw


def move_example(raw: dict[str, Any], board: Board) -> None:
    """Put the parts of the example configuration on the pins that the profile proposes for them."""
    pins = board.example
    raw["led"] = dict(zip(("gpio", "active"), pins["led"], strict=True))
    for section, roles in _EXAMPLE.items():
        for item, role in zip(raw[section], roles, strict=True):
            item["gpio"] = pins[role]


def spans(gpios: Iterable[int]) -> str:
    """GPIOs for people.

    >>> spans({0, 1, 2, 5, 8, 9})
    '0..2, 5, 8, 9'
    """
    parts: list[list[int]] = []
    for gpio in sorted(gpios):
        if parts and gpio == parts[-1][-1] + 1:
            parts[-1].append(gpio)
        else:
            parts.append([gpio])
    words = [f"{part[0]}..{part[-1]}" if len(part) > 2 else ", ".join(map(str, part)) for part in parts]
    return ", ".join(words)
