"""Catalog, desired values, presses, readings and safe state together, with a relay board that can fail."""

from firmware.core.catalog import apply_catalog
from firmware.core.controller import Controller
from firmware.core.errors import DriverError
from firmware.core.models import EPOCH, Catalog, Command, Desired, Sensor
from firmware.core.outbox import Outbox
from firmware.core.output import Output
from firmware.core.safety import Lease, Safety
from tests_host.support.parts import HEATER, ROOM, SWITCH

WRAP = 0x40000000
START = WRAP - 1000
UTC = 1777025700

LIGHT = dict(ROOM, pin_port="15", name="light", kind="ldr_sensor", deadband=5, keep=False)

PUMP_ROW = Command(1, "relay", "6", None, None, None, None)
HEATER_ROW = Command(2, "relay", "9", None, None, None, None)
ROOM_ROW = Sensor(1, "thermistor", "14", None)  # the same number as the pump, as the documentation has it
LIGHT_ROW = Sensor(2, "ldr_sensor", "15", None)
CATALOG = Catalog([PUMP_ROW, HEATER_ROW], [ROOM_ROW, LIGHT_ROW])


def at(seconds):
    return (START + int(seconds * 1000)) % WRAP


def desired_state(command_id, value, desired_id=None, sequence=None, valid_s=None):
    return Desired(command_id, value, desired_id, sequence, valid_s)


class Device:
    """A controller between a lease and two relays. `broken`: indexes whose pin does not follow; `stuck`: {index: where
    it is all the time}; `clock`: whether the time of day is known."""

    def __init__(self, pump=None, heater=None, online=True):
        self.relays = [False, False]
        self.driven = [False, False]
        self.broken = []
        self.stuck = {}
        self.lines = []
        self.clock = True
        self.lease = Lease(START)
        self.outbox = Outbox(1, 2, START)
        self.safety = Safety(300, START)
        outputs = [
            Output(dict(SWITCH, **pump or {}), False, START),
            Output(dict(HEATER, **heater or {}), False, START),
        ]
        self.controller = Controller(outputs, [ROOM, LIGHT], self.outbox, self.safety, self.drive, self.log)
        self.second = 0
        if online:
            self.go_online()
            self.reported()
            self.lines = []

    def go_online(self):
        self.lease.grant(START, 100000, 0)
        self.lease.confirm()
        apply_catalog(self.controller, CATALOG)
        self.tick()

    def drive(self, index, on):
        self.driven[index] = on
        if index in self.broken or self.stuck.get(index, on) != on:
            raise DriverError("GPIO 16 does not go " + ("on" if on else "off"))
        self.relays[index] = on

    def log(self, level, text):
        self.lines.append((level, text))

    def levels(self):
        return [level for level, _ in self.lines]

    def utc(self):
        return UTC + self.second if self.clock else None

    def tick(self, seconds=0):
        """Look once, or every second for some `seconds`."""
        for _ in range(seconds or 1):
            self.second += 1 if seconds else 0
            self.safety.contact(at(self.second))
            self.controller.tick(self.lease, at(self.second), self.utc())

    def receive_desired(self, *states):
        for desired in states:
            self.controller.receive_desired(desired, at(self.second))
        self.tick()

    def read(self, index, value):
        self.controller.reading(index, value, at(self.second), self.utc())
        return self

    def reported(self):
        """[(source, id, value, desired_id, status)] since the last call; they are answered for."""
        reports, self.outbox.reports = map(self.outbox.complete, self.outbox.reports), []
        return [(r.source, r.id, r.value, r.desired_id, r.status) for r in reports]

    def lose_authorization(self, reason="subscription inactive"):
        self.lease.end(reason)
        self.tick()


def test_after_power_up_outputs_are_safe_without_values():
    device = Device(online=False)
    device.read(0, 20.0).tick(10)
    assert device.relays == [False, False]
    assert len(device.outbox) == 0 and device.lines == []
    device.controller.receive_desired(desired_state(1, "1"), at(10))
    device.tick(1)
    assert device.relays == [False, False], "in safe state nobody listens"


def test_the_first_catalog_is_followed_by_the_present_state():
    device = Device(online=False)
    device.read(0, 20.0)
    device.lease.grant(START, 3600, 0)
    device.lease.confirm()
    apply_catalog(device.controller, CATALOG)
    device.tick()
    assert len(device.lines) == 1
    assert device.reported() == [("command", 1, "0.0", None, None)], "the heater has no setpoint yet"
    device.read(0, 20.0)
    device.read(1, None)
    assert device.reported() == [("sensor", 1, "20.0", None, None)]


def test_desired_values_reach_their_outputs_and_are_acknowledged():
    device = Device()
    device.read(0, 18.0)
    device.reported()
    device.receive_desired(
        desired_state(1, "1", "des_1"), desired_state(2, "20", "des_2"), desired_state(99, "1", "des_3")
    )
    assert device.relays == [True, True]
    assert device.reported() == [
        ("command", 1, "1.0", "des_1", "applied"),
        ("command", 2, "20.0", "des_2", "applied"),
    ]
    device.read(0, 20.5).tick()
    assert device.relays == [True, False]


def test_a_rejected_value_is_a_warning_and_leaves_the_output():
    device = Device()
    device.receive_desired(desired_state(1, "maybe", "des_1"))
    assert device.levels() == ["warning"]
    assert device.reported() == [("command", 1, "0.0", "des_1", "rejected")]


def test_ids_keep_their_type():
    device = Device()
    device.receive_desired(desired_state("1", "1"))
    assert device.relays == [False, False]


def test_the_same_catalog_again_logs_and_reports_nothing():
    device = Device()
    device.receive_desired(desired_state(1, "1"))
    device.reported()
    device.lines = []
    for _ in range(3):
        apply_catalog(device.controller, Catalog([PUMP_ROW, HEATER_ROW], [ROOM_ROW, LIGHT_ROW]))
        device.tick(1)
    assert device.relays == [True, False] and device.reported() == [] and device.lines == []


def test_errors_of_a_catalog_are_logged_once():
    device = Device()
    odd = Catalog([PUMP_ROW, Command(2, "motor", "9", None, None, None, None)], [ROOM_ROW])
    for _ in range(3):
        apply_catalog(device.controller, odd)
    assert device.levels() == ["warning"] * 3 and len(set(device.lines)) == 3
    apply_catalog(device.controller, CATALOG)
    device.lines = []
    apply_catalog(device.controller, odd)
    assert len(device.lines) == 3, "it came back"


def test_a_vanished_command_makes_only_its_output_safe():
    device = Device()
    device.read(0, 10.0)
    device.receive_desired(desired_state(1, "1"), desired_state(2, "20"))
    assert device.relays == [True, True]
    apply_catalog(device.controller, Catalog([HEATER_ROW], [ROOM_ROW, LIGHT_ROW]))
    device.tick()
    assert device.relays == [False, True]
    device.reported()
    device.receive_desired(desired_state(1, "1"), desired_state(2, "20"))
    assert device.relays == [False, True] and device.reported() == []
    apply_catalog(device.controller, CATALOG)
    device.receive_desired(desired_state(1, "1"))
    assert device.relays == [True, True]


def test_a_press_toggles_and_is_reported_as_a_local_change():
    device = Device()
    device.controller.press(0, at(1))
    device.tick()
    assert device.relays[0] and device.controller.outputs[0].manual_override
    assert device.reported() == [("command", 1, "1.0", None, None)]
    device.controller.press(0, at(2))
    device.tick()
    assert not device.relays[0] and device.reported() == [("command", 1, "0.0", None, None)]


def test_a_press_supersedes_a_pending_state():
    device = Device(pump={"min_off_s": 60})
    device.receive_desired(desired_state(1, "1", "des_1", 1, 300))
    assert device.reported() == []
    device.controller.press(0, at(2))
    device.tick()
    assert device.reported() == [("command", 1, "0.0", "des_1", "stale")]
    device.tick(70)
    assert device.relays[0], "toggled from off to on, held by min_off_s"
    assert device.reported() == [("command", 1, "1.0", None, None)]


def test_events_before_the_first_contact_are_reported_with_their_own_time():
    device = Device(online=False)
    device.clock = False
    for _ in range(4):
        device.tick(9)
        device.controller.press(0, at(device.second))
        device.tick(1)
    assert len(device.outbox) == 4 and not device.outbox.batch(20)
    device.tick(600)
    assert len(device.outbox) == 4, "no heartbeats"
    device.clock = True
    device.go_online()
    times = [r.at + EPOCH - UTC for r in device.outbox.batch(20)]
    assert times[:4] == [10, 20, 30, 40]
    present = ("command", 1, "0.0", None, None)
    assert device.reported() == [("command", 1, v, None, None) for v in ("1.0", "0.0", "1.0", "0.0")] + [
        present
    ]


def test_events_of_a_port_without_a_command_are_dropped():
    device = Device(online=False)
    device.controller.press(0, START)
    device.tick(1)
    device.outbox.kept[device.outbox.reports[0].message_id] = device.outbox.at
    device.lease.grant(START, 3600, 0)
    device.lease.confirm()
    apply_catalog(device.controller, Catalog([HEATER_ROW], []))
    device.tick(1)
    assert device.reported() == [] and device.relays[0], "and nobody but the hand has a say"
    device.controller.press(0, at(3))
    device.tick(1)
    assert device.reported() == [] and not device.relays[0]


def test_a_press_works_without_a_catalog_and_in_safe_state():
    device = Device(online=False)
    device.controller.press(0, START)
    device.tick()
    assert device.relays[0]
    device = Device()
    device.lose_authorization()
    device.controller.press(0, at(1))
    device.tick(10)
    assert device.relays[0]


def test_entering_and_leaving_safe_state_is_logged_once():
    device = Device()
    device.read(0, 10.0)
    device.receive_desired(desired_state(1, "1"), desired_state(2, "20"))
    device.lines = []
    device.lose_authorization("subscription inactive")
    device.receive_desired(desired_state(1, "0"), desired_state(1, "1"))
    assert device.relays == [False, False]
    assert device.levels()[0] == "warning" and "subscription inactive" in device.lines[0][1]
    count = len(device.lines)
    device.tick(100)
    assert len(device.lines) == count
    device.lease.confirm()
    device.tick(1)
    assert device.levels()[count:] == ["info"]
    assert device.relays == [False, False], "desired values have to be read again"
    device.receive_desired(desired_state(1, "1"), desired_state(2, "20"))
    assert device.relays == [True, True]


def test_silence_of_the_cloud_leads_to_safe_state():
    device = Device()
    device.receive_desired(desired_state(1, "1"))
    for second in range(301):
        device.controller.tick(device.lease, at(device.second + second), UTC)
        assert device.relays[0] is (second < 300), second


def test_a_sensor_fault_turns_only_its_regulator_off():
    device = Device()
    device.read(0, 10.0)
    device.receive_desired(desired_state(1, "1"), desired_state(2, "20"))
    device.reported()
    device.read(0, None).tick()
    assert device.relays == [True, False]
    assert device.reported() == [], "a fault is no number"
    device.read(0, 10.0).tick()
    assert device.relays == [True, True]


def test_a_regulator_without_any_reading_yet_stays_off():
    device = Device()
    device.receive_desired(desired_state(2, "35"))
    assert device.relays == [False, False]
    device.read(1, 0.0)  # another sensor's
    device.tick()
    assert device.relays == [False, False]


def test_interlocked_outputs_are_never_on_together():
    device = Device(pump={"interlock": "valve"}, heater={"interlock": "valve"})
    device.read(0, 10.0).tick(1)
    device.receive_desired(desired_state(1, "1"))
    device.receive_desired(desired_state(2, "20"))
    assert device.relays == [True, False]
    assert device.controller.outputs[1].why == "interlock"
    device.lines = []
    device.tick(5)
    assert device.lines == [], "said once, before"
    device.receive_desired(desired_state(1, "0"))
    assert device.relays == [False, False]
    device.tick(1)
    assert device.relays == [False, True]
    device.receive_desired(desired_state(1, "1"))
    device.tick(1)
    assert device.relays == [False, True]


class Shutter(Device):
    """Two switches that exclude each other, looked at every 20 ms. `moves`: (milliseconds, index, on)."""

    def __init__(self, online=True, **both):
        both = dict(both, interlock="shutter")
        self.moves = []
        self.time_ms = 0
        other = dict(both, mode="switch", min=0, max=1, step=1)
        super().__init__(both, other, online=online)

    def drive(self, index, on):
        if on != self.relays[index]:
            self.moves.append((self.time_ms, index, on))
        super().drive(index, on)

    def run(self, ms):
        for _ in range(ms // 20):
            self.time_ms += 20
            self.safety.contact(at(self.time_ms / 1000))
            self.controller.tick(self.lease, at(self.time_ms / 1000), UTC)

    def least_gap(self):
        """Milliseconds between one going off, or the start, and the other going on, at the least."""
        ends = [0, 0]
        gaps = []
        for time_ms, index, on in self.moves:
            if on:
                gaps.append(time_ms - ends[1 - index])
            else:
                ends[index] = time_ms
        return min(gaps)


def test_interlock_wait_ms_holds_for_cloud_and_buttons():
    def cloud(device, index):
        device.controller.receive_desired(desired_state(index + 1, "1"), at(device.time_ms / 1000))
        device.controller.receive_desired(desired_state(2 - index, "0"), at(device.time_ms / 1000))

    def button(device, index):
        device.controller.press(1 - index, at(device.time_ms / 1000))
        device.controller.press(index, at(device.time_ms / 1000))

    for both, wait_ms in (({}, 500), ({"interlock_wait_ms": 2000}, 2000), ({"interlock_wait_ms": 0}, 0)):
        for turn in (cloud, button):
            device = Shutter(**both)
            if turn is button:
                device.controller.press(1, at(0))
            for index in (0, 1, 0):
                turn(device, index)
                device.run(4000)
                assert device.relays[index] and not device.relays[1 - index], (turn, index)
            assert wait_ms <= device.least_gap() <= wait_ms + 40, (both, turn, device.moves)


def test_interlock_wait_ms_holds_for_the_safe_state():
    device = Shutter()
    device.controller.receive_desired(desired_state(1, "1"), at(0))
    device.run(2000)
    assert device.relays == [True, False]
    device.controller.outputs[1].cfg["safe"] = "on"
    device.lease.end("refused")
    device.run(2000)
    assert device.relays == [False, True] and device.least_gap() >= 500


def test_force_safe_switches_no_output_of_a_group_on():
    device = Shutter()
    device.controller.receive_desired(desired_state(1, "1"), at(0))
    device.run(2000)
    device.controller.outputs[1].cfg["safe"] = "on"
    device.controller.force_safe()
    assert device.relays == [False, False]
    device.controller.receive_desired(desired_state(1, "0"), at(2))
    device.controller.receive_desired(desired_state(2, "1"), at(2))
    device.run(2000)
    assert device.relays == [False, True] and device.least_gap() >= 500
    device.controller.force_safe()
    assert device.relays == [False, True], "what is on already stays"


def test_after_a_start_the_others_of_a_group_may_have_been_on_just_before():
    device = Shutter(online=False)
    device.controller.press(0, at(0))
    device.run(480)
    assert device.relays == [False, False] and device.controller.outputs[0].why == "interlock"
    device.run(100)
    assert device.relays == [True, False] and device.least_gap() >= 500


def test_a_wait_keeps_no_relay_on_or_off_that_is_so_already():
    device = Shutter(online=False)
    device.relays[0] = device.controller.outputs[0].on = True
    device.controller.outputs[0].cfg["safe"] = "on"
    device.run(1000)
    assert device.moves == []


def test_a_relay_that_does_not_follow_blocks_its_group_and_is_driven_off():
    """Found by the simulation: left driven, it could come free and pull beside the other one."""
    device = Device(pump={"interlock": "valve"}, heater={"interlock": "valve"})
    device.read(0, 10.0)
    device.broken = [0]
    device.receive_desired(desired_state(1, "1"), desired_state(2, "20"))
    assert device.driven[0] is False and device.relays == [False, False]
    assert device.controller.outputs[1].why == "interlock"
    device.receive_desired(desired_state(1, "0"))
    device.broken = []
    device.tick(1)
    device.tick(1)
    assert device.relays == [False, True]


def test_a_desired_state_is_acknowledged_even_in_safe_state():
    """Found by the simulation: received in the moments between the end of the token and that of the session."""
    device = Device()
    device.lose_authorization()
    device.reported()
    device.receive_desired(desired_state(1, "1", "des_1", 1, 300))
    assert device.reported() == [("command", 1, "0.0", "des_1", "stale")] and not device.relays[0]
    device.receive_desired(desired_state(1, "1"))
    assert device.reported() == [], "this one is read again"
    device.go_online()
    device.receive_desired(desired_state(1, "1", "des_1", 1, 300))
    assert not device.relays[0], "what was answered stays so"
    device.receive_desired(desired_state(1, "1", "des_2", 2, 300))
    assert device.relays[0]


def test_a_relay_stuck_on_from_the_start_blocks_its_group():
    """Found by the simulation (seed 232): it was noticed only when it was to be switched."""
    device = Device(pump={"interlock": "valve"}, heater={"interlock": "valve"}, online=False)
    device.stuck = {0: True}
    device.tick()
    assert device.controller.outputs[0].on and device.levels()[-2:] == ["error", "info"]
    device.go_online()
    assert device.reported()[0] == ("command", 1, "1.0", None, None), "what is, not what was meant"
    device.read(0, 10.0)
    device.receive_desired(desired_state(2, "20"))
    assert not device.relays[1] and device.controller.outputs[1].why == "interlock"
    device.stuck = {}
    device.tick(2)
    assert device.relays == [False, True]


def test_a_working_relay_goes_off_for_a_stuck_one_of_its_group():
    """Found by the simulation: nothing but this can end what the other one's stuck pin began."""
    device = Device(pump={"interlock": "valve"}, heater={"interlock": "valve", "min_on_s": 100})
    device.read(0, 10.0).tick(1)
    device.receive_desired(desired_state(2, "20"))
    assert device.relays == [False, True]
    device.stuck = {0: True}
    device.tick(1)
    assert not device.relays[1] and device.controller.outputs[1].why == "interlock"
    device.stuck = {}
    device.tick(2)
    assert device.relays == [False, True]


def test_a_relay_stuck_on_is_never_driven_on_for_that():
    """Neither by its least time, nor because the window of a desired state of off closes."""
    device = Device(pump={"min_on_s": 100, "min_off_s": 10})
    device.stuck = {0: True}
    device.tick()
    device.receive_desired(desired_state(1, "0", "des_1", 1, 5))
    device.tick(5)
    assert ("command", 1, "1.0", "des_1", "stale") in device.reported()
    assert device.driven[0] is False
    device.tick(60)
    device.stuck = {}
    device.tick(1)
    assert device.relays[0] is False and device.reported() == [("command", 1, "0.0", None, None)]
    device.receive_desired(desired_state(1, "1", "des_2", 2, 100))
    device.tick(9)
    assert not device.relays[0], "it has been off only since it came free"
    device.tick(1)
    assert device.relays[0]


def test_a_relay_that_falls_is_off_and_comes_back_after_its_least_time():
    device = Device(pump={"min_off_s": 10})
    device.tick(10)
    device.receive_desired(desired_state(1, "1"))
    assert device.relays[0]
    device.stuck = {0: False}
    device.tick()
    assert device.levels().count("error") == 1
    device.stuck = {}
    device.tick(9)
    assert not device.relays[0]
    device.tick(1)
    assert device.relays[0] and device.controller.outputs[0].fault is None


def test_different_groups_and_none_do_not_block():
    for groups in ((None, None), ("a", "b"), ("a", None)):
        device = Device(pump={"interlock": groups[0]}, heater={"interlock": groups[1]})
        device.read(0, 10.0)
        device.receive_desired(desired_state(1, "1"), desired_state(2, "20"))
        assert device.relays == [True, True], groups


def test_a_pin_that_does_not_follow_is_a_fault_and_tried_again():
    device = Device()
    device.broken = [0]
    device.receive_desired(desired_state(1, "1", "des_1"))
    device.tick(5)
    assert device.controller.outputs[0].fault == "GPIO 16 does not go on"
    assert device.levels().count("error") == 1, "said once"
    assert device.reported() == [], "the value is what it was"
    device.broken = []
    device.tick(1)
    assert device.controller.outputs[0].fault is None and device.relays[0]
    assert device.reported() == [("command", 1, "1.0", "des_1", "applied")]


def test_one_broken_pin_does_not_keep_the_others_from_switching():
    device = Device()
    device.read(0, 10.0)
    device.broken = [0]
    device.receive_desired(desired_state(1, "1"), desired_state(2, "20"))
    assert device.relays == [False, True]


def test_force_safe_drives_every_output_to_its_safe_level():
    for safe, before, after in (("off", True, False), ("on", False, True), ("hold", True, True)):
        device = Device(pump={"safe": safe})
        device.relays[0] = before
        device.controller.outputs[0].on = before
        device.controller.force_safe()
        assert device.relays[0] is after and device.controller.outputs[0].on is after, safe
    device = Device(heater={"safe": 12.0})
    device.read(0, 10.0)
    device.receive_desired(desired_state(2, "20"))
    assert device.relays[1]
    device.controller.force_safe()
    assert not device.relays[1], "whoever cannot decide cannot regulate"


def test_force_safe_switches_nothing_on_that_a_limit_holds_off():
    for limit in ({"min_off_s": 180}, {"max_on_s": 60}):
        device = Device(pump=dict({"safe": "on"}, **limit))
        device.tick(200)
        device.receive_desired(desired_state(1, "1"))
        device.tick(70)
        if "min_off_s" in limit:
            device.receive_desired(desired_state(1, "0", 2))
            device.tick(10)
        assert not device.relays[0]
        device.controller.force_safe()
        assert not device.relays[0], limit
        device.safety.faults.add("network")
        device.tick(10)
        assert not device.relays[0], limit
        device.tick(200)
        assert device.relays[0] is ("min_off_s" in limit)


def test_force_safe_continues_after_a_broken_pin():
    device = Device(pump={"safe": "on"}, heater={"safe": "on"})
    device.relays = [False, False]
    device.controller.outputs[0].on = device.controller.outputs[1].on = False
    device.broken = [0]
    device.controller.force_safe()
    assert device.relays == [False, True]
    assert device.controller.outputs[0].fault and not device.controller.outputs[0].on


def test_force_safe_before_the_first_tick_counts_from_now():
    device = Device(pump={"safe": "on", "max_on_s": 10}, online=False)
    device.controller.force_safe()
    assert device.relays[0]
    device.tick(9)
    assert device.relays[0]
    device.tick(1)
    assert not device.relays[0]


def test_a_conflict_reports_the_present_state_as_a_new_event():
    device = Device()
    device.receive_desired(desired_state(1, "1"))
    device.read(0, 20.0)
    for report in device.outbox.batch(9):
        before = device.outbox.batch(9)
        device.controller.reconcile(report.message_id)
        device.outbox.acknowledge(report.message_id)
        device.tick()
        device.read(0, 20.0)
        (again,) = [r for r in device.outbox.batch(9) if r not in before]
        assert again[1:4] == report[1:4] and again.message_id != report.message_id
    device.controller.reconcile("unknown")
    count = device.outbox.count
    device.tick()
    device.read(0, 20.0)
    assert device.outbox.count == count


def test_a_conflict_before_any_catalog_is_ignored():
    device = Device(online=False)
    device.controller.reconcile("an-event-of-an-earlier-life")
    device.tick(1)
    assert len(device.outbox) == 0


def test_readings_before_the_clock_wait_for_it():
    device = Device()
    device.clock = False
    device.tick(1)
    device.read(0, 20.0)
    device.second = 61
    assert device.outbox.batch(9) == []
    device.clock = True
    device.tick()
    (report,) = device.outbox.batch(9)
    assert (report.value, report.at) == ("20.0", UTC + 1 - EPOCH)


def test_a_reading_has_the_time_at_which_it_was_read():
    device = Device()
    device.second = 5
    device.read(0, 20.0)
    assert device.outbox.batch(9)[0].at == UTC + 5 - EPOCH


def test_commands_are_reported_as_heartbeats():
    device = Device()
    device.tick(299)
    assert device.reported() == []
    device.tick(1)
    assert device.reported() == [("command", 1, "0.0", None, None)]


def test_a_fallback_setpoint_is_regulated_and_reported():
    device = Device(heater={"safe": 12.0})
    device.read(0, 11.0)
    device.reported()
    device.receive_desired(desired_state(2, "20"))
    assert device.relays[1] and device.reported()[-1][2] == "20.0"
    device.lose_authorization()
    assert device.reported() == [("command", 2, "12.0", None, None)]
    device.read(0, 13.0).tick()
    assert not device.relays[1]
    device.read(0, 11.0).tick()
    assert device.relays[1]
