"""The JSON Schema that editors check config.json with: made of the device's rules, and never stricter than they are."""

import copy
import json
import random

import jsonschema
import pytest

from tools.build import config_schema
from tools.cli.check_config import validate
from tools.repository import ROOT
from tools.sim import configurations

SCHEMA = json.loads(config_schema.PATH.read_text())
EXAMPLE = json.loads((ROOT / "config.example.json").read_text())


def errors(config):
    return [error.json_path for error in jsonschema.Draft201909Validator(SCHEMA).iter_errors(config)]


def test_the_published_schema_is_that_of_the_rules():
    jsonschema.Draft201909Validator.check_schema(SCHEMA)
    assert config_schema.PATH.read_text() == config_schema.text(), "run: realer package --write"


def test_the_example_names_the_schema_and_fits_it():
    assert (ROOT / EXAMPLE["$schema"]).resolve() == config_schema.PATH
    assert errors(EXAMPLE) == []


@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_device_accepts_fits(seed):
    config = configurations.drawn(random.Random(seed)).config
    assert [p for p in validate(config)[1] if p[0] == "error"] == []
    assert errors(config) == []


WRONG = {
    "a key that does not exist": lambda c: c["outputs"][0].update(min_of_s=3),
    "a key of the other mode": lambda c: c["outputs"][0].update(pulse_ms=10, mode="setpoint"),
    "a setpoint without its sensor": lambda c: c["outputs"][1].pop("sensor"),
    "an output without a pin": lambda c: c["outputs"][0].pop("gpio"),
    "a pin that no chip has": lambda c: c["outputs"][0].update(gpio=60),
    "a kind of sensor that does not exist": lambda c: c["sensors"][0].update(kind="barometer"),
    "a sensor without its kind": lambda c: c["sensors"][0].pop("kind"),
    "a number as text": lambda c: c["cloud"].update(poll_s="10"),
    "a number out of its range": lambda c: c["cloud"].update(poll_s=1),
    "a part of a second": lambda c: c["cloud"].update(poll_s=10.5),
    "no network": lambda c: c["wifi"].update(networks=[]),
    "an address that is none": lambda c: c["wifi"].update(dns=["router"]),
    "a secret that is too short": lambda c: c["cloud"].update(client_secret="short"),
    "a server without https": lambda c: c["cloud"].update(base_url="http://api.therealer.com"),
    "a generation that does not exist": lambda c: c["cloud"].update(api="realer2"),
    "a level that does not exist": lambda c: c["outputs"][0].update(active="up"),
    "a list instead of an object": lambda c: c.update(safety=[]),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_what_the_device_refuses_shows_in_the_editor(change):
    config = copy.deepcopy(EXAMPLE)
    change(config)
    assert validate(copy.deepcopy(config))[1]
    assert errors(config)
