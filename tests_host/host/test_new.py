"""`realer new`: whatever is connected, and whichever board it is, the configuration is one that the check takes."""

import json
import re

import pytest

from tools import boards
from tools.cli import check_config, new
from tools.cli.starting_points import STARTING_POINTS
from tools.common import Failed
from tools.repository import ROOT

NO_ROOM = {("greenhouse", "olimex-esp32-poe"), ("greenhouse", "wt32-eth01")}
"""Their Ethernet has the pins."""


def filled(config):
    """With what only an owner knows."""
    config["wifi"]["networks"] = [{"ssid": "home", "password": "password-not-real"}]
    config["cloud"] |= {"device_id": "1", "client_id": "id", "client_secret": "secret-not-real"}
    return config


@pytest.mark.parametrize("board", boards.every_name())
@pytest.mark.parametrize("kind", STARTING_POINTS)
def test_the_check_takes_it_on_every_board(kind, board):
    if (kind, board) in NO_ROOM:
        with pytest.raises(Failed, match="too few free pins"):
            new.configuration(STARTING_POINTS[kind], boards.named(board), kind)
        return
    board = boards.named(board)
    config, problems = check_config.validate(
        filled(new.configuration(STARTING_POINTS[kind], board, kind)), board
    )
    assert problems == []
    # What the cloud's documentation has no word for stays local until the owner says otherwise.
    doubts = [(where, value) for _, where, value, _ in check_config.warnings_of(config, board)]
    assert not [where for where, _ in doubts if not where.endswith("kind")], doubts


@pytest.mark.parametrize("kind", STARTING_POINTS)
def test_every_reason_is_about_a_value_that_is_there(kind):
    point = STARTING_POINTS[kind]
    config = new.configuration(point, boards.named("esp32"), kind)
    for where, key, why in new.reasons(point):
        section, _, number = where.partition("[")
        assert key in (config[section][int(number[:-1])] if number else config[section])
        assert why
    assert point.silence_s[1] and point.protect
    assert any(key == "safe" for where, key, _ in new.reasons(point) if where.startswith("outputs"))


def test_it_writes_the_file_explains_it_and_overwrites_nothing(tmp_path, capsys):
    out = tmp_path / "config.json"
    assert new.main(["lock", "--board", "esp32-c3-supermini", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert json.loads(out.read_text())["outputs"][0]["pulse_ms"] == 3000
    assert out.stat().st_mode & 0o077 == 0
    assert "pulse_ms" in said and "panic bar" in said
    with pytest.raises(Failed, match="already exists"):
        new.main(["pump", "--out", str(out)])
    with pytest.raises(Failed, match="unknown board"):
        new.main(["pump", "--board", "esp33", "--out", str(tmp_path / "other.json")])


def test_the_page_shows_what_it_writes():
    page = (ROOT / "docs/choosing-safe-states.md").read_text(encoding="utf-8")
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    classic = boards.named("esp32")
    kinds = ("heater", "pump", "lock")
    assert shown == [new.configuration(STARTING_POINTS[kind], classic, kind)["outputs"][0] for kind in kinds]
