"""The pictures of the documentation: made from the code, up to date, and true about the kits they show."""

import json
import re
from xml.etree import ElementTree

import pytest
from PIL import Image

from firmware.core import status_led
from tools import boards, pictures
from tools.checks import docs
from tools.pictures import charts, pin_rows, sequences, wiring, wokwi
from tools.repository import ROOT

SCREENS = ROOT / "docs/screens"


@pytest.fixture(scope="module")
def made():
    return pictures.made()


def test_the_committed_pictures_are_what_the_code_makes(made):
    there = {f"docs/pictures/{path.name}" for path in (ROOT / "docs/pictures").iterdir()}
    assert there == set(made)
    old = [path for path, text in made.items() if (ROOT / path).read_text(encoding="utf-8") != text]
    assert not old, "run: python -m tools.pictures"


def test_each_is_an_svg_with_a_label_that_loads_nothing(made):
    taken = {path.name: path.read_text(encoding="utf-8") for path in SCREENS.glob("*.svg")}
    assert len(taken) == 5
    for path, text in (made | taken).items():
        if path.endswith(".json"):
            continue
        root = ElementTree.fromstring(text)
        assert root.get("aria-label"), path
        assert not re.search(r"href|url\((?!#)|<script|<image", text), path


def test_each_picture_of_a_run_is_on_a_page_and_the_animation_moves():
    pages = " ".join(path.read_text(encoding="utf-8") for path in docs.pages())
    assert [path.name for path in SCREENS.iterdir() if f"screens/{path.name})" not in pages] == []
    with Image.open(SCREENS / "dashboard.webp") as animation:
        assert animation.n_frames > 20


@pytest.mark.parametrize("kit", pin_rows.ROWS)
def test_a_kit_is_drawn_with_the_pins_that_it_has(kit):
    config, board = wiring.example(kit)
    printed = [name for row in pin_rows.ROWS[kit] for name in row.split(" ")]
    gpios = [gpio for name in printed if (gpio := boards.gpio_of(board, name)) is not None]
    assert len(gpios) == len(set(gpios)), "a GPIO is on one pin"
    assert set(gpios) <= board.gpios("pins") | board.gpios("flash") | board.gpios("usb")
    assert {part.gpio for part in wiring.parts(config, board)} <= set(gpios)
    assert {"3V3", "5V", "GND"} <= {pin_rows.POWER[name] for name in printed if name in pin_rows.POWER}


def test_every_pattern_of_the_led_is_drawn():
    assert set(charts.LED_WORDS) == set(status_led._CODES)
    assert charts.led().count("#facc15") == sum(code.bit_count() for code in status_led._CODES.values())


def test_the_wokwi_project_connects_each_part_to_its_pin():
    config, _ = wiring.example(wokwi.KIT)
    project = json.loads(wokwi.diagram())
    there = {part["id"] for part in project["parts"]}
    ends = [end.split(":") for line in project["connections"] for end in line[:2]]
    assert {part for part, _ in ends} == there
    items = config["outputs"] + config["sensors"] + config["buttons"] + [config["led"]]
    used = {pin for part, pin in ends if part == "esp" and pin.isdigit()}
    assert used == {str(item["gpio"]) for item in items}


def test_the_paths_of_the_sequences_are_those_of_the_firmware():
    said = " ".join(words for _, _, words in sequences.HTTPS + sequences.MQTT)
    paths = set(re.findall(r"/oauth/\w+|feed-data/\w+", said))
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "firmware").rglob("*.py"))
    assert len(paths) == 2 and not [path for path in paths if path not in code]
