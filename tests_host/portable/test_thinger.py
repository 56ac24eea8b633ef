"""The device as resources of Thinger.io: names, what they show, what may be written to them."""

from firmware.cloud.thinger_resources import Resources
from firmware.core.catalog import apply_catalog
from firmware.core.controller import Controller
from firmware.core.outbox import Outbox
from firmware.core.output import Output
from firmware.core.safety import Lease, Safety
from tests_host.support.parts import HEATER, ROOM, SWITCH

RELAY = dict(SWITCH, boot="off")
THERMOSTAT = dict(HEATER, safe=8.0, boot="off", hysteresis=0.5)
THERMISTOR = dict(ROOM, deadband=0.2, keep=False)


def made(outputs=(RELAY, THERMOSTAT), sensors=(THERMISTOR,)):
    outputs = [Output(cfg, False, 0) for cfg in outputs]
    controller = Controller(
        outputs, sensors, Outbox(1, 2, 0), Safety(300, 0), lambda index, on: None, lambda *printed: None
    )
    return controller, Resources(controller, "1.2.3")


def test_kinds_and_catalog():
    controller, things = made()
    assert things.kinds == {"pump": 2, "heater": 2, "room": 3, "status": 3, "restart": 1, "reset": 1, "io": 4}
    apply_catalog(controller, things.catalog)
    assert controller.notes == []
    assert [tuple(c) for c in things.catalog.commands] == [
        ("pump", "relay", "6", 0, 1, 1, None),
        ("heater", "relay", "9", 5.0, 35.0, 0.5, None),
    ]
    assert [tuple(s) for s in things.catalog.sensors] == [("room", "thermistor", "14", None)]


def test_every_name_is_its_own_and_one_part_of_a_path():
    def named(*pairs):
        things = made([dict(RELAY, name=name, pin_port=port) for name, port in pairs])[1]
        return [c.id for c in things.catalog.commands]

    assert named(("unnamed", "6"), ("unnamed", "9")) == ["6", "9"]
    assert named(("pump", "6"), ("pump", "9"), ("api", "4")) == ["pump", "9", "4"]
    assert named(("a/b", "6"), ("a", "1/2")) == ["6", "a"]
    assert named(("status", "6"), ("restart", "status"), ("a/b", "6/")) == ["6", "status_", "6_"]
    assert named(("9", "6"), ("unnamed", "9"), ("9", "9_")) == ["9", "9_", "9__"]
    controller, things = made(
        [RELAY],
        [dict(THERMISTOR, name="pump", pin_port="6"), dict(THERMISTOR, name="unnamed", pin_port="pump")],
    )
    assert [s.id for s in things.catalog.sensors] == ["6", "pump_"]
    apply_catalog(controller, things.catalog)
    assert controller.notes == []


def test_configured_names_replace_the_example_resources():
    _, things = made([dict(RELAY, name="reset")], [dict(THERMISTOR, name="io")])
    assert things.kinds == {"reset": 2, "io": 3, "status": 3, "restart": 1}
    assert things.read("reset") is False and things.read("io") is None


def test_a_device_without_outputs_and_sensors_works():
    _, things = made((), ())
    assert things.kinds == {"status": 3, "restart": 1, "reset": 1, "io": 4}
    assert things.read("status") == {"outputs": {}, "sensors": {}, "safe": "", "firmware": "1.2.3"}


def test_resources_show_the_present_values():
    controller, things = made()
    lease = Lease(0)
    lease.grant(0, 1000, 0)
    lease.confirm()
    controller.tick(lease, 0, None)
    assert (things.read("pump"), things.read("heater"), things.read("room")) == (False, 8.0, None)
    controller.reading(0, 21.37, 0, None)
    controller.outputs[0].demand(1.0)
    controller.outputs[1].demand(20.0)
    assert things.read("pump") is False, "a desired value is not the present one"
    controller.tick(lease, 0, None)
    assert (things.read("pump"), things.read("heater"), things.read("room")) == (True, 20.0, 21.37)
    assert things.read("status") == {
        "outputs": {
            "pump": {"on": True, "target": 1.0, "held": None, "fault": None},
            "heater": {"on": False, "target": 20.0, "held": None, "fault": None},
        },
        "sensors": {"room": 21.37},
        "safe": None,
        "firmware": "1.2.3",
    }
    controller.reading(0, None, 0, None)
    assert things.read("room") is None
    lease.end("gone")
    controller.tick(lease, 0, None)
    assert things.read("status")["safe"] == "gone"


def test_a_setpoint_without_a_demand_is_null():
    _, things = made([dict(THERMOSTAT, safe="off")])
    assert things.read("heater") is None


def test_values_accepted_by_a_switch():
    _, things = made()
    for raw, value in (
        (True, 1.0), (False, 0.0), (1, 1.0), (0, 0.0), (1.0, 1.0), ("on", 1.0), ("off", 0.0), ("1", 1.0),
    ):  # fmt: skip
        assert things.demand("pump", raw) == (value, None), raw
    for raw in (
        None,
        2,
        -1,
        0.5,
        "",
        "ON",
        "true",
        [],
        [True],
        {},
        {"in": True},
        b"on",
        "1e0",
        float("nan"),
        float("inf"),
        10**30,
    ):
        value, wrong = things.demand("pump", raw)
        assert value is None and wrong, raw


def test_values_accepted_by_a_setpoint():
    _, things = made()
    for raw, value in ((5, 5.0), (35.0, 35.0), (21.5, 21.5), ("21.5", 21.5)):
        assert things.demand("heater", raw) == (value, None)
    for raw in (True, False, None, 4.5, 35.5, 21.3, "on", "", [], {}, float("nan"), -(10**30)):
        value, wrong = things.demand("heater", raw)
        assert value is None and wrong, raw
