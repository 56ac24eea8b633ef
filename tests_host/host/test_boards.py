"""The table of chips and kits: that it is complete, that it agrees with itself, and what the host makes of it."""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path
from typing import Any

import pytest

from firmware.core.config import choices
from tools import boards
from tools.build import bundler, package
from tools.cli import check_config, doctor_command
from tools.cli.deploy import fitted
from tools.common import Failed
from tools.repository import ROOT

CHIPS = boards.chips()
EVERY = boards.every_name()


def config_for(name: str) -> dict[str, Any]:
    """The example configuration on the pins that the profile of that board proposes."""
    raw = json.loads((ROOT / "config.example.json").read_text().replace("REPLACE-ME", "test-secret-not-real"))
    board = boards.find(name)
    assert board
    boards.move_example(raw, board)
    return raw | {"board": name}


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(boards).failed == 0


@pytest.mark.parametrize("chip", CHIPS)
def test_no_pin_is_for_two_things(chip: str) -> None:
    board = CHIPS[chip]
    taken = [board.gpios(key) for key in ("flash", "usb", "console", "outputs", "input_only")]
    assert len(frozenset().union(*taken)) == sum(map(len, taken))
    assert not board.gpios("analog") & board.gpios("adc2")
    assert board.gpios("analog") <= board.gpios("inputs") <= board.gpios("pins")
    for key in ("strapping", "pulled_up", "pulled_down", "leds", "glitching"):
        assert board.gpios(key) <= board.gpios("pins") | board.gpios("flash"), key


@pytest.mark.parametrize("name", EVERY)
def test_the_example_of_each_board_is_right_and_gets_no_warning(name: str) -> None:
    raw = config_for(name)
    config, problems = check_config.validate(raw)
    assert problems == []
    assert check_config.warnings_of(config, boards.of(raw)) == []


@pytest.mark.parametrize("chip", CHIPS)
def test_every_fact_that_is_promised_is_there(chip: str) -> None:
    board = CHIPS[chip]
    assert board.fact("image").startswith("ESP32_GENERIC") and board.flash_offset in (0, 0x1000)
    assert board.fact("memory") in ("measured", "unmeasured") and board.free
    least, most = board.span_mv("adc_linear_mv")
    assert least < 200 and most <= board.span_mv("adc_reads_mv")[1]
    assert boards.by_machine(board.name) == chip


def test_boot_refuses_and_allows_the_pins_of_the_table() -> None:
    text = (ROOT / "boot.py").read_text()
    rows = re.findall(r'^    " (.*)"$', text[text.index("DRIVES = (") :].partition(")")[0], re.MULTILINE)
    found = {name: int(bits, 16) for name, bits in (word.split("=") for word in " ".join(rows).split())}
    expected = {chip: board.gpios("outputs") for chip, board in CHIPS.items()}
    rmii = {18, 19, 21, 22, 23, 25, 26, 27}
    expected["wt32-eth01"] = expected["esp32"] - rmii - {0, 16}
    expected["olimex-esp32-poe"] = expected["esp32"] - rmii - {12, 17}
    expected["esp32+psram"] = expected["esp32"] - {16, 17}
    assert found == {name: sum(1 << gpio for gpio in gpios) for name, gpios in expected.items()}
    assert package.boot() == text


@pytest.mark.parametrize(
    ("board", "printed", "gpio"),
    [
        ("esp32-devkitc", "IO16", 16),
        ("esp32-devkitc", "VP", 36),
        ("esp32-devkitc", "D2", 9),
        ("esp32-devkit-v1", "D4", 4),
        ("esp32-devkit-v1", "RX2", 16),
        ("esp32-devkit-v1", "d4", 4),
        ("esp32", "IO4", 4),
        ("esp32", "GPIO4", 4),
        ("esp32", "D4", None),
        ("lolin-s2-mini", "16", 16),
        ("esp32-c3-devkitm-1", "TX", 21),
        ("esp32-c3-devkitm-1", "A0", None),
    ],
)
def test_names_printed_on_a_kit_stand_for_gpios(board: str, printed: str, gpio: int | None) -> None:
    found = boards.find(board)
    assert found and boards.gpio_of(found, printed) == gpio


def test_a_configuration_with_printed_names_is_checked_as_the_numbers_they_mean() -> None:
    raw = config_for("esp32-devkit-v1")
    raw["outputs"][0]["gpio"], raw["led"]["gpio"] = "RX2", "D2"
    assert check_config.validate(raw)[1] == []
    numbered = boards.with_numbers(raw, boards.of(raw))
    assert (numbered["outputs"][0]["gpio"], numbered["led"]["gpio"]) == (16, 2)
    raw["board"] = "esp32-devkitc"
    ((level, path, _, allowed), *_) = check_config.validate(raw)[1]
    assert (level, path) == ("error", "outputs[0].gpio") and "esp32-devkitc" in allowed


@pytest.mark.parametrize(
    ("board", "section", "gpio", "allowed"),
    [
        ("esp32c3", "outputs", 22, "GPIO 22 does not exist on an ESP32-C3; outputs: 0..10"),
        ("esp32c3", "outputs", 20, "GPIO 20 is the console of an ESP32-C3; outputs: 0..10"),
        ("esp32c3", "led", 18, "GPIO 18 is the USB port of an ESP32-C3; outputs: 0..10"),
        ("esp32c3", "sensors", 5, "GPIO 5 of an ESP32-C3 belongs to ADC2"),
        ("esp32c6", "sensors", 20, "GPIO 20 of an ESP32-C6 has no ADC; inputs of ADC1: 0..6"),
        ("esp32s3", "buttons", 27, "GPIO 27 is wired to the flash chip of an ESP32-S3; inputs: 0..18"),
        ("esp32s2", "outputs", 46, "GPIO 46 of an ESP32-S2 is an input only"),
        (
            "wt32-eth01",
            "outputs",
            22,
            "GPIO 22 of wt32-eth01 is connected to a chip on the board itself; outputs: 2",
        ),
        ("olimex-esp32-poe", "led", 17, "GPIO 17 of olimex-esp32-poe is connected to a chip"),
        ("wt32-eth01", "buttons", 0, "GPIO 0 of wt32-eth01 is connected to a chip"),
        ("esp32", "outputs", 7, "GPIO 7 is wired to the flash chip of an ESP32; outputs: 0, 2, 4, 5, 12..19"),
    ],
)
def test_what_is_wrong_with_a_pin_is_said_with_the_chip_and_what_would_do(
    board: str, section: str, gpio: int, allowed: str
) -> None:
    raw = config_for(board)
    item = raw[section] if section == "led" else raw[section][0]
    item["gpio"] = gpio
    path = section if section == "led" else f"{section}[0]"
    (found,) = [p[3] for p in check_config.validate(raw)[1] if p[0] == "error" and p[1] == f"{path}.gpio"]
    assert found.startswith(allowed)


def test_an_unknown_board_is_refused_with_those_there_are() -> None:
    raw = config_for("esp32") | {"board": "esp8266"}
    (problem,) = check_config.validate(raw)[1]
    assert problem[:2] == ("error", "board") and all(name in problem[3] for name in EVERY)


@pytest.mark.parametrize(
    ("board", "gpio", "active", "words"),
    [
        ("esp32c3", 9, "high", "pulls this one up"),
        ("esp32s2", 45, "low", "pulls this one down"),
        ("esp32s3", 18, "high", "microseconds"),
        ("esp32c3", 10, "high", None),
    ],
)
def test_a_relay_where_the_chip_itself_may_close_it_is_warned_of(
    board: str, gpio: int, active: str, words: str | None
) -> None:
    raw = config_for(board)
    raw["outputs"][0].update(gpio=gpio, active=active)
    raw["buttons"] = []
    config, _ = check_config.validate(raw)
    found = [allowed for _, path, _, allowed in check_config.warnings_of(config, boards.of(raw))]
    assert bool(found) == bool(words) and all(str(words) in allowed for allowed in found)


@pytest.mark.parametrize(
    ("board", "expected"), [("esp32-c3-devkitm-1", 1), ("esp32-c3-supermini", 0), ("esp32c3", 0)]
)
def test_a_ws2812_is_no_status_led(board: str, expected: int) -> None:
    raw = config_for(board) | {"led": {"gpio": 8, "active": "low"}}
    config, _ = check_config.validate(raw)
    found = [path for _, path, *_ in check_config.warnings_of(config, boards.of(raw))]
    assert found == ["led.gpio"] * expected


def test_every_chip_is_in_the_page_about_wiring() -> None:
    page = Path(ROOT, "docs/wiring.md").read_text()
    for board in CHIPS.values():
        (row,) = [line for line in page.split("\n") if line.startswith(f"| {board.name} |")]
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        expected = [
            boards.spans(board.gpios(key)) for key in ("outputs", "input_only", "analog", "strapping")
        ]
        assert cells[1:5] == [text or "none" for text in expected]
    for name in EVERY:
        assert f"`{name}`" in page


def test_a_deploy_sends_numbers_in_place_of_printed_names() -> None:
    raw = config_for("esp32-devkit-v1")
    raw["outputs"][0]["gpio"] = "RX2"
    root = {"config.json": json.dumps(raw).encode(), "boot.py": b""}
    sent = fitted(root, "Generic ESP32 module with ESP32")
    assert json.loads(sent["config.json"])["outputs"][0]["gpio"] == 16 and sent["boot.py"] == b""


def test_a_deploy_sends_a_file_without_printed_names_as_it_is() -> None:
    root = {"config.json": json.dumps(config_for("esp32")).encode()}
    assert fitted(root, "Generic ESP32 module with ESP32") is root
    assert fitted({"boot.py": b""}, "ESP32H2 module with ESP32H2") == {"boot.py": b""}


def test_a_deploy_checks_a_configuration_that_names_no_board_for_the_chip_that_is_plugged_in() -> None:
    raw = config_for("esp32c3")
    del raw["board"]
    root = {"config.json": json.dumps(raw).encode()}
    assert fitted(root, "ESP32C3 module with ESP32-C3") is root
    with pytest.raises(Failed) as failed:
        fitted(root, "Generic ESP32 module with ESP32")
    assert "inputs of ADC1: 32..39" in failed.value.do


def test_a_deploy_refuses_pins_of_the_psram_where_micropython_uses_it() -> None:
    root = {"config.json": json.dumps(config_for("esp32")).encode()}
    with pytest.raises(Failed) as failed:
        fitted(root, "Generic ESP32 module with SPIRAM with ESP32")
    assert "GPIO 16 of an ESP32 with PSRAM is connected to a chip on the board itself" in failed.value.do


@pytest.mark.parametrize("machine", ["Generic ESP32S3 module with ESP32S3", "ESP32H2 module with ESP32-H2"])
def test_a_deploy_refuses_another_chip_than_the_configuration_names(machine: str) -> None:
    root = {"config.json": json.dumps(config_for("esp32c3")).encode()}
    with pytest.raises(Failed):
        fitted(root, machine)


def test_the_doctor_checks_a_reading_by_the_chip() -> None:
    program = (ROOT / "tools/doctor/board_check.py").read_text()
    for chip, board in CHIPS.items():
        found = doctor_command._for_chip(program, board)
        assert found.count(f"\nMOST_MV = {board.fact('adc_max_mv')}\n") == 1, chip
    assert (
        doctor_command._for_chip(program, CHIPS["esp32"])
        == program
        == doctor_command._for_chip(program, None)
    )


@pytest.mark.gate
def test_what_a_board_gets_of_a_profile_is_what_its_check_reads() -> None:
    units = bundler.sources(ROOT)
    for chip, board in CHIPS.items():
        scope: dict[str, Any] = {}
        exec(units[f"firmware.boards.{chip}"], scope)
        got = boards.Board(chip, scope["PROFILE"])
        assert "offset" not in got.profile and got.name == board.name
        for key in ("outputs", "inputs", "analog", "boards"):
            assert choices(got.profile, key) == choices(board.profile, key)
        for key in ("adc_max_mv", "strapping", "leds", "input_only"):
            assert got.fact(key) == board.fact(key)
