"""A fixed handful of the simulation that `make soak` plays for thousands of days."""

import importlib
import random
import re
import sys
from collections import Counter

import pytest

from firmware.core.command import CommandState
from firmware.core.output import Output
from tests_host.support.checking import validate
from tools.checks.simulate import PACE, main, simulate
from tools.cloud.wire import Wire
from tools.sim.configurations import GENERATIONS, drawn
from tools.sim.device_imports import kept_code
from tools.sim.fault_injection import KINDS


@pytest.fixture(autouse=True)
def own_pace():
    before = [(module, name, getattr(module, name)) for module, name, _ in PACE]
    yield
    for module, name, value in before:
        setattr(module, name, value)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(1, 10))
def test_nothing_is_violated(seed):
    found = simulate((seed, 8.0, False))
    assert found["violations"] == [], "\n".join(found["timeline"][-60:])
    assert len(found["kinds"]) > len(KINDS) // 2


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(1, 13))
def test_nothing_is_violated_whatever_the_configuration(seed):
    found = simulate((seed, 4.0, True))
    assert found["violations"] == [], "\n".join(found["timeline"][-60:])


def test_drawn_configurations_cover_every_kind_and_are_valid():
    outputs, sensors, names, keys = Counter(), Counter(), Counter(), Counter()
    for seed in range(300):
        setting = drawn(random.Random(seed))
        config, problems = validate(setting.config)
        assert [p for p in problems if p[0] == "error"] == [], problems
        names[setting.name] += 1
        outputs[len(config["outputs"])] += 1
        sensors[len(config["sensors"])] += 1
        for output in config["outputs"]:
            for key in ("mode", "active", "boot", "after_lapse", "interlock"):
                keys[key, output[key]] += 1
            keys["safe", output["safe"] if isinstance(output["safe"], str) else "setpoint"] += 1
    assert {f"{api}-{how}" for api, transports in GENERATIONS.items() for how in transports} == set(names)
    assert set(outputs) == set(range(1, 9)) and set(sensors) == set(range(7))
    assert len(keys) == 4 + 2 + 2 + 2 + 3 + 4 and min(keys.values()) > 20, keys


@pytest.mark.thorough
def test_reports_a_desired_state_that_was_never_received(monkeypatch):
    is_new = CommandState.is_new
    monkeypatch.setattr(CommandState, "is_new", lambda command, d: d.desired_id and is_new(command, d))
    first = simulate((5, 4.0, False))["violations"][0]
    # Which desired value it is depends on every moment of the run, so any change of the firmware may move it.
    assert re.search(r"not aware of \d = \S+ after 5000 s without a fault", first), first


def test_an_exception_of_the_simulated_cloud_is_a_violation(monkeypatch):
    monkeypatch.setattr(Wire, "feed", lambda *_: 1 // 0)
    assert "ZeroDivisionError" in simulate((5, 1.0, True))["violations"][0]


def test_a_unit_is_executed_anew_from_the_code_that_is_kept(monkeypatch):
    name, found = "firmware.persistence_writing", []
    with kept_code():
        for _ in range(2):
            monkeypatch.delitem(sys.modules, name, raising=False)
            found.append(importlib.import_module(name))
    first, second = (module.write for module in found)
    assert first is not second and first.__code__ is second.__code__


@pytest.mark.thorough
def test_the_same_seed_gives_the_same_timeline():
    first, second = simulate((5, 2.0, True)), simulate((5, 2.0, True))
    assert first["timeline"] == second["timeline"] and first["kinds"] == second["kinds"]


@pytest.mark.thorough
def test_a_violation_is_printed_with_its_timeline_and_the_command_to_repeat_it(monkeypatch, capsys):
    level = Output.level
    monkeypatch.setattr(
        Output, "level", lambda output, reading, now, blocked: level(output, reading, now, False)
    )
    assert main(["--full", "--seeds", "1..3", "--hours", "6", "--jobs", "1"]) == 1
    printed = capsys.readouterr().out
    assert (
        "on although its interlock forbids it" in printed and "fault " in printed and "  device: " in printed
    )
    assert "again: realer simulate --seeds 1 --hours 6 --full" in printed
