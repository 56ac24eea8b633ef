"""The pictures of the documentation: made from the code, up to date, and true about the kits they show."""

import io
import json
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from PIL import Image

from firmware.core import status_led
from tools import boards, pictures
from tools.checks import docs, pictures_page, pictures_terminal
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


def png(colour):
    made = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(made, "PNG")
    return made.getvalue()


def test_an_animation_shows_each_frame_as_long_as_it_lasted():
    frames = [(10.0, png("red")), (10.5, png("red")), (11.5, png("blue")), (11.75, png("blue"))]
    with Image.open(io.BytesIO(pictures_page.film(frames))) as animation:
        lasting = []
        for number in range(animation.n_frames):
            animation.seek(number)
            animation.load()
            lasting.append((animation.info["duration"], animation.convert("RGB").getpixel((4, 4))))
    assert lasting == [(1500, (255, 0, 0)), (3250, (0, 0, 255))]


def test_what_a_terminal_shows_becomes_a_picture(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pictures_terminal.Screen(tmp_path, "check_config") as terminal:
        terminal.ends()
        picture = terminal.picture("check", "A <label>")
    root = ElementTree.fromstring(picture)
    assert root.get("aria-label") == "A <label>"
    shown = " ".join(" ".join(root.itertext()).replace("\xa0", " ").split())
    assert "config.json" in shown and "realer check_config" in shown
    assert "font-face" not in picture and 'class="check-r1"' in picture


@pytest.mark.parametrize("kit", pin_rows.ROWS)
def test_a_kit_is_drawn_with_the_pins_that_it_has(kit):
    config, board = wiring.example(kit)
    printed = [name for row in pin_rows.ROWS[kit] for name in row.split(" ")]
    gpios = [gpio for name in printed if (gpio := boards.gpio_of(board, name)) is not None]
    assert len(gpios) == len(set(gpios)), "a GPIO is on one pin"
    assert set(gpios) <= board.gpios("pins") | board.gpios("flash") | board.gpios("usb")
    assert {part.gpio for part in wiring.parts(config, board)} <= set(gpios)
    assert {"3V3", "5V", "GND"} <= {pin_rows.POWER[name] for name in printed if name in pin_rows.POWER}


def segments(line):
    points = [tuple(map(float, point.split(" "))) for point in line.removeprefix("M").split(" L")]
    return list(pairwise(points))


def crossing(one, other):
    """Whether a level and an upright piece of two lines meet."""
    for (ax, ay), (bx, by) in segments(one):
        for (cx, cy), (dx, dy) in segments(other):
            level, upright = ((ax, bx, ay), (cx, cy, dy)) if ay == by else ((cx, dx, cy), (ax, ay, by))
            if (ay == by) != (cy == dy):
                inside = min(level[:2]) < upright[0] < max(level[:2])
                if inside and min(upright[1:]) < level[2] < max(upright[1:]):
                    return True
    return False


@pytest.mark.parametrize("kit", pin_rows.ROWS)
def test_no_signal_crosses_another(kit):
    lines = re.findall(
        rf'd="([^"]+)" fill="none" stroke="(?:{"|".join(wiring.SIGNALS)})"', wiring.picture(kit)
    )
    assert len(lines) >= 5
    assert not [(a, b) for i, a in enumerate(lines) for b in lines[:i] if crossing(a, b)]


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
