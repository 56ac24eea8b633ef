"""Facts about the supported chips and their kits: `firmware/boards`, as the host reads it.

Each module there is a chip. Its text PROFILE has one fact a line: `key value`, with GPIOs written as in the rules of
the configuration (`0|2|4..7`). A board loads the profile of its chip at the start, checks the configuration against it,
and unloads it. `realer package --write` writes the pins that `boot.py` needs into that file. The keys:

    name            the chip in messages; in lower case and without the hyphen, the value of `board`
    outputs         GPIOs that can be driven and are not used by the flash chip, USB or the console
    input_only      GPIOs without an output driver and without internal pull resistors
    analog          GPIOs of ADC1
    adc2            GPIOs of ADC2, which Wi-Fi uses too
    adc_max_mv      mV; a higher reading means that the input is at the supply voltage
    strapping       GPIOs whose level at reset decides how the chip boots
    leds            strapping pins that drive the LED of a kit, which the status LED may therefore use
    pins            GPIOs that MicroPython's port knows; it raises ValueError for any other
    flash psram usb console    GPIOs that these need
    adc_linear_mv   range in mV in which the ADC is linear at 11 dB
    adc_reads_mv    range in mV of the ADC's calibrated reading
    pulled_up pulled_down    GPIOs that an internal resistor pulls from reset until the program drives them
    glitching       GPIOs that the chip itself drives for some microseconds at power-up
    pwm             how many outputs can have PWM, and with how many frequencies
    offset          address in flash at which an image begins
    image           name of the image at micropython.org, and of the folder of its page
    memory          whether the figures of `tools/virtual_board/memory.py` were measured on this chip
    example         pins for the parts of `config.example.json`, led with its active level; after the name of a kit, its
                    own
    kit             name; its LED (`none`, `GPIO:level`, or `ws2812:GPIO`, which cannot be the status LED); then the
                    labels of its pins: `IO*` for IO0, IO1 and so on, `TX=1` for a single one. `taken=`: pins that the
                    kit itself needs. `lan=`: its Ethernet, PHY:address:mdc:mdio:power:clock:in or out
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
    """`led`: (GPIO, active level); None: it has none that the device can use. `ws2812`: GPIO of such an LED, -1: none.
    `printed`: GPIO by the label printed beside it; `pattern`: prefix of the labels of all others, before the number.
    `taken`: pins that the kit itself needs. `lan`: its Ethernet, "" if it has none."""

    name: str
    led: tuple[int, str] | None
    ws2812: int
    printed: dict[str, int]
    pattern: str | None
    taken: frozenset[int] = frozenset()
    lan: str = ""


@dataclass(frozen=True)
class Board:
    """A chip, and its kit if that is known. `profile`: the text in `firmware/boards`. `kits`: all of this chip, by
    name."""

    chip: str
    profile: str
    kit: Kit | None = None
    kits: dict[str, Kit] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The chip in messages, such as ESP32-C3."""
        return self.fact("name")

    @property
    def example(self) -> dict[str, Any]:
        """The GPIO of each part of the example configuration, by name; of `led`, (GPIO, active level)."""
        own = self.fact(f"example {self.kit.name}") if self.kit else ""
        parts = dict(part.split("=") for part in (own or self.fact("example")).split(" "))
        gpio, _, level = parts.pop("led").partition(":")
        return {name: int(number) for name, number in parts.items()} | {"led": (int(gpio), level)}

    def fact(self, key: str) -> str:
        return fact(self.profile, key)

    def gpios(self, key: str) -> frozenset[int]:
        """The GPIOs of a line of the profile, or of `inputs`: all that can be read."""
        return numbers(choices(self.profile, key))

    def span_mv(self, key: str) -> tuple[int, int]:
        low, _, high = self.fact(key).partition("..")
        return int(low), int(high)

    @property
    def flash_offset(self) -> int:
        return int(self.fact("offset"), 16)

    @property
    def free(self) -> frozenset[int]:
        """GPIOs that suit a relay of either active level, because the chip does not drive or pull them from reset
        on."""
        taken = ("strapping", "pulled_up", "pulled_down", "glitching", "psram")
        return self.offered("outputs").difference(*(self.gpios(key) for key in taken))

    def offered(self, key: str) -> frozenset[int]:
        """`gpios(key)` without those that the kit itself needs."""
        return self.gpios(key) - (self.kit.taken if self.kit else frozenset())

    def use(self, gpio: int) -> str:
        """What uses a GPIO that cannot be configured, or "not there"; "" for any other."""
        for key, words in _USES.items():
            if gpio in self.gpios(key):
                return words
        return "" if gpio in self.gpios("inputs") else "not there"


_USES = {"flash": "flash chip", "usb": "USB", "console": "console"}


def numbers(rule: str) -> frozenset[int]:
    """The GPIOs in a rule.

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
    """All supported chips, by the value of `board`."""
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
    """Like `find`, but raises KeyError if there is none."""
    board = find(name)
    if not board:
        raise KeyError(name)
    return board


def on(board: Board, machine: str) -> Board:
    """`board` with the pins that PSRAM uses taken, if `machine` (`os.uname().machine`) says that it has PSRAM."""
    if "SPIRAM" not in machine:
        return board
    return replace(board, profile=board.profile.replace("\npsram ", "\ntaken "))


def drives() -> dict[str, frozenset[int]]:
    """GPIOs that may be driven: by chip; by kit, for each that needs some itself; by chip with the suffix `+psram`."""
    found = {}
    for chip, board in chips().items():
        outputs = board.gpios("outputs")
        found[chip] = outputs
        found |= {kit.name: outputs - kit.taken for kit in board.kits.values() if kit.taken}
        if outputs & board.gpios("psram"):
            found[f"{chip}+psram"] = outputs - board.gpios("psram")
    return found


def every_name() -> list[str]:
    """All values that `board` may have in a configuration."""
    return [name for board in chips().values() for name in choices(board.profile, "boards").split("|")]


def of(raw: Any) -> Board:
    """The board that the configuration `raw` is for; `raw` may be invalid. A classic ESP32 if it does not say."""
    name = raw.get("board") if isinstance(raw, dict) else None
    return (find(name) if isinstance(name, str) else None) or chips()[CLASSIC]


def by_machine(machine: str) -> str:
    """The value of `board` for a chip's name as MicroPython (`os.uname().machine`) or esptool ("ESP32-C3 (QFN32)")
    gives it; "" if it is not an ESP32.

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
    """The GPIO for a label printed on the board, None: there is no such label."""
    if board.kit and printed.upper() in board.kit.printed:
        return board.kit.printed[printed.upper()]
    prefixes = ["GPIO", "IO"] + ([board.kit.pattern] if board.kit and board.kit.pattern is not None else [])
    for prefix in prefixes:
        digits = printed.upper().removeprefix(prefix)
        if digits.isdigit() and printed.upper() == f"{prefix}{digits}":
            return int(digits)
    return None


def printed(board: Board, gpio: int) -> str:
    """The label printed beside a pin, as far as that is known: the inverse of `gpio_of`."""
    if board.kit:
        for name, number in board.kit.printed.items():
            if number == gpio:
                return name
    pattern = board.kit.pattern if board.kit else None
    return f"{'GPIO' if pattern is None else pattern}{gpio}"


def with_numbers(raw: Any, board: Board) -> Any:
    """The configuration with the number of each GPIO in place of its printed label, as the device requires it. Anything
    that is not such a label stays; without any, the same object is returned."""
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
    """GPIOs as a text for messages.

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
