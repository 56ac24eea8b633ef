"""One meaning of a configuration: what boot.py drives and writes down, what the device checks and builds, and what the
check on the host says, for any outputs."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware.app import _controller
from firmware.core.outbox import Outbox
from tests_host.support import fakemachine
from tests_host.support.checking import validate
from tools.cli import check_config
from tools.sim.sim_device import demo_config

ROOT = Path(__file__).parents[2]
BOOT = (ROOT / "boot.py").read_text()
PINS = [
    16, 17, 18, 19, 21, 22, 23, 25, 26, 17.0, 18.0, 2, 4, 5, 0, 13, 32, 33, 34, 39, 6, 9, 11, 1, 3, 20, 24,
    28, 31,
]  # fmt: skip
ODD = ["16", None, True, False, 16.5, -1, 40, 1e9, [], {}, "high", "REPLACE-ME"]
ITEM = {
    "gpio": st.sampled_from(PINS + ODD),
    "active": st.sampled_from(["high", "low", "low", None, "HIGH", 1, True, "", []]),
    "boot": st.sampled_from(["off", "on", "on", None, "ON", 0, 1, False, "hold", {}]),
    "safe": st.sampled_from(["off", "on", "hold", None, 8, 8.0, 20.5, -51, "auto", 0, True, []]),
    "interlock": st.sampled_from([None, None, "a", "b", "", 7]),
    "interlock_wait_ms": st.sampled_from([None, 0, 1, 2, 2.0, 1.5, -1, 60001, "1"]),
    "mode": st.sampled_from(["switch", "setpoint", None]),
}
GOOD = {
    "gpio": st.sampled_from([16, 17.0, 18, 19, 21, 22, 23, 25.0, 33]),
    "active": st.sampled_from(["high", "low", None]),
    "boot": st.sampled_from(["off", "on", None]),
    "safe": st.sampled_from(["off", "on", "hold", None]),
    "interlock": st.sampled_from([None, "a", "b"]),
    "interlock_wait_ms": st.sampled_from([0, 1, 2]),
}
OUTPUTS = st.lists(
    st.one_of(st.fixed_dictionaries({}, optional=ITEM), st.fixed_dictionaries({}, optional=GOOD)),
    max_size=4, unique_by=lambda item: str(item.get("gpio")).partition(".")[0],
)  # fmt: skip


class Board:
    """Keeps what outputs are built with."""

    def __init__(self):
        self.built = []

    def output(self, gpio, active_high, on):
        self.built.append((gpio, int(on == active_high)))


def booted():
    """(history of levels, boot.json) of boot.py in the current folder."""
    chip = fakemachine.install()
    exec(BOOT, {"__name__": "__main__"})
    return chip.history, json.loads(Path("boot.json").read_text())["outputs"]


def configured(outputs):
    raw = demo_config()
    raw["buttons"] = []
    raw["outputs"] = [
        {"pin_port": str(i), "sensor": "14", "min": 5, "max": 30} | item
        if item.get("mode") == "setpoint"
        else {"pin_port": str(i)} | item
        for i, item in enumerate(outputs)
    ]
    return raw


def levels(output):
    """[gpio, boot level, safe level] that a normalized output stands for, for whoever keeps no time."""
    boot = output["boot"] == "on"
    safe = boot if output["safe"] == "hold" else output["safe"] == "on"
    if output["interlock"] is not None:
        boot = safe = False
    high = output["active"] == "high"
    return [output["gpio"], int(boot == high), int(safe == high)]


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """With the certificate that the configuration names."""
    home, found = Path.cwd(), tmp_path_factory.mktemp("flash")
    os.chdir(found)
    yield found
    os.chdir(home)


@pytest.mark.thorough
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(OUTPUTS)
def test_boot_device_and_host_take_outputs_for_the_same(outputs):
    raw = configured(outputs)
    for name in ("boot.json", "config.json"):
        Path(name).unlink(missing_ok=True)
    Path("config.json").write_text(json.dumps(raw))
    history, record = booted()
    config, problems = validate(raw)
    errors = {path for level, path, *_ in problems if level == "error"}
    host = {path for level, path, *_ in check_config.validate(raw)[1] if level == "error"}
    assert host == errors
    if not errors:
        assert record == sorted(map(levels, config["outputs"]))
        last = dict(history)
        for output in config["outputs"]:
            on = output["boot"] == "on"
            assert last[output["gpio"]] == int(on == (output["active"] == "high")), "where it is at power-up"
        board = Board()
        _controller(config | {"items": []}, board, 0, None, Outbox(0, 0, 0))
        for output, built in zip(config["outputs"], board.built, strict=True):
            gpio, _, safe = levels(output)
            alone = output["boot"] == output["safe"] == "on" or (
                output["boot"] == "on" and output["safe"] == "hold"
            )
            if output["interlock"] is not None and alone:
                safe = int(output["active"] == "high")
            assert built == (gpio, safe)
    else:
        driven = {gpio for gpio, *_ in record}
        for i, item in enumerate(raw["outputs"]):
            paths = {f"outputs[{i}].{key}" for key in ("gpio", "active", "boot")}
            wrong = [
                p for p in problems if p[1] in paths and p[0] == "error" and "one of its own" not in p[3]
            ]
            if not wrong and "outputs" not in errors:
                assert item["gpio"] in driven, item
            elif wrong:
                assert (
                    not isinstance(item.get("gpio"), (int, float))
                    or item["gpio"] not in driven
                    or (item["gpio"] is True or item["gpio"] is False)
                ), item


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([None, [], "missing", {}, 0, "", False, "none"]))
def test_no_outputs_are_no_outputs_for_all_of_them(outputs):
    """What the last start drove is driven where the file is wrong, and only there."""
    raw = demo_config()
    raw["buttons"] = []
    raw["outputs"] = outputs
    if outputs == "missing":
        del raw["outputs"]
    Path("config.json").write_text(json.dumps(raw))
    Path("boot.json").write_text(json.dumps({"boots": 1, "early": 0, "outputs": [[16, 1, 1]]}))
    history, record = booted()
    good = not [p for p in validate(raw)[1] if p[0] == "error"]
    assert (history, record) == (([], []) if good else ([(16, 1)], [[16, 1, 1]]))
