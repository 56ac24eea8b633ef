"""The committed pictures of commands and pages show what these say today: each is taken anew, and its words compared.

Figures, times and versions differ from run to run, and a slow one may say something more. So what a committed picture
says must be said again, whatever else is; and a run in a bad moment is given another try.
"""

import asyncio
import io
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from tools.checks import pictures, pictures_page
from tools.checks.pictures_terminal import COLUMNS

pytestmark = pytest.mark.long


def said(picture: str) -> list[str]:
    """The lines in the picture of a terminal, those that it broke in one piece, without what no two runs share."""
    rows: dict[str, str] = {}
    for text in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text"):
        rows[text.get("y")] = rows.get(text.get("y"), "") + "".join(text.itertext()).replace("\xa0", " ")
    lines, whole = [], True
    for row in map(str.rstrip, rows.values()):
        if whole:
            lines.append(row)
        else:
            lines[-1] += row
        whole = len(row) < COLUMNS
    return [without_figures(line) for line in lines]


def without_figures(line: str) -> str:
    """Such as "# I heater: relay #" of "2026-12-01T16:27:16Z I heater: relay off"."""
    line = re.sub(r"[+-]?\d[\d.,:]*", "#", re.sub(r"\d{4}-\d\d-\d\dT[\d:]+Z", "#", line))
    line = re.sub(r"# (error|warning|day|problem|note)s", r"# \1", line)
    # The room is as warm as it is by then.
    return re.sub(r"(heater:?(?: is| relay)?) (on|off)", r"\1 #", line).split(" · #")[0]


def committed(name: str) -> str:
    return Path(pictures.FOLDER, f"{name}.svg").read_text(encoding="utf-8")


async def again(*names: str) -> dict[str, list[str]]:
    """Of each committed picture what a new run does not say."""
    taken = await pictures.commands(set(names))
    gone = {}
    for name in names:
        now = said(taken[f"{name}.svg"].decode())
        was = said(committed(name))
        assert len(was) > 3
        gone[name] = [line for line in was if line not in now]
    return {name: lines for name, lines in gone.items() if lines}


@pytest.mark.gate("deploy")
@pytest.mark.parametrize("names", [("wizard",), ("deploy", "monitor", "status", "doctor")], ids="/".join)
async def test_a_picture_says_what_the_command_says(names):
    gone = await again(*names) and await again(*names)
    assert not gone, f'make pictures ARGS="{" ".join(gone)}": {gone}'


def described(png: bytes) -> set[str]:
    """The labels of the page that a picture shows."""
    with Image.open(io.BytesIO(png)) as image:
        return set(map(without_figures, image.info["Description"].split("\n")))


async def test_the_page_of_the_portal_has_the_labels_of_its_picture():
    was = described((pictures.FOLDER / "portal.png").read_bytes())
    assert len(was) > 5 and described((await pictures_page.portal())["portal.png"]) == was


async def test_the_dashboard_has_the_labels_of_its_picture():
    was = {label for label in described((pictures.FOLDER / "dashboard.png").read_bytes()) if "#" not in label}
    assert len(was) > 40
    async with pictures_page.running() as (_, page):
        for _ in range(150):
            gone = was - set((await pictures_page.labels(page)).split("\n"))
            if not gone:
                break
            await asyncio.sleep(0.2)  # what the device has comes when it starts
    assert not gone, 'make pictures ARGS="dashboard animation"'
