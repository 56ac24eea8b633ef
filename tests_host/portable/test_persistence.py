"""What is written down when, what comes back at the next start, and a flash that refuses."""

import json

from firmware.core.catalog import apply_catalog
from firmware.core.controller import Controller
from firmware.core.models import EPOCH, Catalog, Command, Desired, Sensor
from firmware.core.outbox import Outbox
from firmware.core.output import Output
from firmware.core.safety import Lease, Safety
from firmware.persistence_writing import write
from firmware.runtime.persistence import Persistence
from firmware.runtime.restore import restore
from tests_host.support.loaded_units import Loaded
from tests_host.support.parts import HEATER, ROOM, SWITCH

START = 0x40000000 - 1000
UTC = 1777025700
LOCK = dict(SWITCH, name="lock", safe="hold")
REGULATOR = dict(HEATER, safe="hold")
COLD = dict(ROOM, pin_port="15", name="cold", keep=False)
CATALOG = Catalog(
    [Command("a", "relay", "6", None, None, None, None), Command("b", "relay", "9", None, None, None, None)],
    [Sensor(1, "thermistor", "14", None), Sensor(2, "thermistor", "15", None)],
)


class Flash:
    """Journal and slots in memory; `writes`: what was written; `refuses`: what is not written any more of "append",
    "rewrite" and "record"."""

    size = generation = 0

    def __init__(self):
        self.payloads = []
        self.record = None
        self.writes = []
        self.refuses, self.crowded = (), False

    def full(self):
        return self.crowded

    def append(self, payloads):
        return self._take("append", self.payloads + list(payloads))

    def rewrite(self, payloads):
        done = self._take("rewrite", list(payloads))
        self.crowded = self.crowded and not done
        return done

    def save(self, payload):
        done = self._take("record", self.payloads)
        if done:
            self.record = payload
        return done

    def _take(self, how, payloads):
        if how in self.refuses:
            return False
        self.payloads = payloads
        self.writes.append(how)
        return True


class Device:
    """A controller and its persistence on `flash`, online; it moves its own clock."""

    def __init__(self, flash=None, utc=UTC, applied=True):
        self.flash = flash or Flash()
        self.second = 0
        self.utc_now = utc
        self.lines = []
        self.lease = Lease(self.ms())
        outputs = [Output(dict(cfg), False, self.ms()) for cfg in (LOCK, REGULATOR)]
        self.outbox = Outbox(len(self.flash.payloads), 7, self.ms())
        safety = Safety(0, self.ms())
        self.controller = Controller(outputs, [ROOM, COLD], self.outbox, safety, lambda *_: None, self.log)
        self.unit = Loaded((write, lambda persistence: (self.flash, self.flash)))
        self.persistence = Persistence(self, self.log, self.controller, self.lease, self.unit)
        restore(self.persistence, self.flash.payloads, self.flash.record)
        if applied:
            self.lease.grant(self.ms(), 360000, 0)
            self.lease.confirm()
            apply_catalog(self.controller, CATALOG)
            self.tick()
            self.deliver()
            self.wait(61)
            self.flash.writes.clear()

    def log(self, *line):
        self.lines.append(line)

    def ms(self):
        return (START + self.second * 1000) % 0x40000000

    def utc(self):
        return self.utc_now and self.utc_now + self.second

    def tick(self, seconds=1):
        self.second += seconds
        self.controller.tick(self.lease, self.ms(), self.utc())

    def wait(self, seconds):
        for _ in range(seconds):
            self.tick()
            self.persistence.write()

    def press(self):
        self.controller.press(0, self.ms())
        self.tick()
        return self

    def measure(self, index, value):
        self.controller.reading(index, value, self.ms(), self.utc())

    def desired_state(self, value, number):
        self.controller.receive_desired(Desired("a", value, "des_%d" % number, number, 600), self.ms())
        self.tick()
        return self

    @property
    def offset(self):
        return self.utc_now

    def deliver(self):
        for report in self.outbox.batch(20):
            self.outbox.acknowledge(report.message_id)

    def waiting(self):
        return [
            (r.message_id, r.source, r.value, r.at) for r in map(self.outbox.complete, self.outbox.reports)
        ]


def rebooted(device, **how):
    return Device(device.flash, applied=False, **how)


def test_a_command_report_is_written_before_it_leaves():
    device = Device()
    device.press()
    assert device.flash.writes == []
    (report,) = device.outbox.batch(20)
    assert [json.loads(p)[0] for p in device.flash.payloads] == [report.message_id]


def test_a_command_report_is_written_without_a_cloud_too():
    device = Device()
    device.press().wait(1)
    assert device.flash.writes == ["append", "record"], "the event first, then what is held"
    device.wait(50)
    assert device.flash.writes == ["append", "record"]


def test_waiting_events_are_restored_unchanged():
    device = Device()
    device.press()
    device.desired_state(0, 4)
    device.measure(0, 21.0)
    device.wait(70)
    before = device.waiting()
    assert len(before) == 3
    again = rebooted(device)
    assert again.waiting() == before
    (answer,) = [r for r in map(again.outbox.complete, again.outbox.reports) if r.desired_id]
    assert (answer.desired_id, answer.status, answer.sequence) == ("des_4", "applied", 4)
    assert answer.ticks == again.ms()


def test_acknowledged_events_are_removed_a_minute_later():
    device = Device()
    device.press().wait(1)
    device.deliver()
    assert len(rebooted(device).waiting()) == 1, "until then it would leave once more under its identity"
    device.wait(61)
    assert device.flash.payloads == [] and not device.outbox.kept
    assert rebooted(device).waiting() == []


def test_an_answer_is_noted_while_others_wait():
    device = Device()
    device.press()
    device.press().wait(1)
    first = device.waiting()[0][0]
    device.outbox.acknowledge(first)
    device.wait(61)
    assert device.flash.writes[-1] == "append"
    assert [w[0] for w in rebooted(device).waiting()] == [device.waiting()[0][0]]


def test_readings_are_written_only_when_they_have_to_wait():
    device = Device()
    loads = device.unit.loads
    for value in range(20):
        device.measure(0, 20.0 + value)
        device.wait(3)
        device.deliver()
    assert device.flash.writes == [] and device.unit.loads - loads <= 1
    device.measure(0, 10.0)
    device.measure(1, 10.0)
    device.wait(71)
    assert device.flash.writes == ["append"]
    assert [w[2] for w in rebooted(device).waiting()] == ["10.0"], (
        "only of the sensor whose owner asked for it"
    )


def test_heartbeats_are_not_written():
    device = Device()
    device.wait(400)
    assert len(device.outbox) > 0 and device.flash.writes == []


def test_a_time_that_is_learned_later_is_written_too():
    device = Device(utc=None)
    device.outbox.reports = []
    device.press().wait(1)
    assert json.loads(device.flash.payloads[-1])[4] is None
    device.utc_now = UTC
    device.wait(1)
    (found,) = [w for w in rebooted(device).waiting() if w[3]]
    assert found == device.waiting()[0]


def test_without_a_time_before_the_cut_the_start_counts():
    device = Device(utc=None)
    device.press().wait(1)
    again = rebooted(device)
    again.tick(100)
    assert again.waiting()[0][3] == UTC - EPOCH


def test_unix_seconds_of_an_earlier_version_still_count():
    device = Device()
    device.press().wait(1)
    old = json.loads(device.flash.payloads[-1])
    old[4] += EPOCH
    device.flash.payloads[-1] = json.dumps(old).encode()
    assert rebooted(device).waiting() == device.waiting()


def test_a_full_journal_is_written_anew():
    device = Device()
    device.press().wait(1)
    device.flash.crowded = True
    device.press()
    device.measure(0, 1.0)
    device.wait(1)
    assert device.flash.writes[-1] == "rewrite"
    assert rebooted(device).waiting() == device.waiting()


def test_a_flash_that_refuses_is_logged_once_and_tried_again():
    device = Device()
    device.flash.refuses = ("append", "rewrite", "record")
    for _ in range(3):
        device.press().wait(1)
        assert device.outbox.batch(20), "what cannot be written still leaves"
    assert len([line for line in device.lines if line[0] == "error"]) == 1
    device.flash.refuses = ()
    device.wait(61)
    assert rebooted(device).waiting() == device.waiting()


def test_many_events_in_a_minute_do_not_pile_up():
    device = Device()
    for _ in range(200):
        device.press()
        device.deliver()
        assert len(device.outbox.kept) < 90
    device.wait(61)
    assert not device.outbox.kept


def test_invalid_records_do_not_stop_the_start():
    payloads = [
        b"[]", b"[1,2]", b"17", b"{}", b'"x"', b"null", b"\xff", b"nonsense", b"[1,2,3,4,5,6,7,8,9,10,11]",
    ]  # fmt: skip
    for record in (
        None, b"", b"[]", b"7", b"nonsense", b"\xff", b'{"6":7}', b'{"6":["x",7]}', b'{"9":[{},[1]]}',
    ):  # fmt: skip
        flash = Flash()
        flash.payloads, flash.record = payloads, record
        device = Device(flash)
        assert device.waiting() == []
        device.press().wait(1)
        assert len(device.waiting()) == 1


def test_the_held_state_of_a_switch_is_restored():
    device = Device()
    for _ in range(2):
        device.press().wait(1)
        again = rebooted(device)
        again.tick()
        assert again.controller.outputs[0].on == device.controller.outputs[0].on


def test_the_held_setpoint_of_a_regulator_is_restored_within_its_range():
    device = Device()
    device.controller.outputs[1].demand(18.5)
    device.wait(1)
    assert rebooted(device).controller.outputs[1].goal() == 18.5
    device.flash.record = device.flash.record.replace(b"18.5", b"99.5")
    assert rebooted(device).controller.outputs[1].goal() is None


def test_an_older_desired_state_stays_older_after_a_restart():
    device = Device()
    device.desired_state(1, 40)
    first = answer(device)
    device.deliver()
    device.wait(61)
    again = Device(device.flash)
    again.outbox.reports = []
    again.desired_state(0, 39)
    assert again.waiting() == []
    again.desired_state(0, 40)
    assert [w[0] for w in again.waiting()] == [first.message_id]
    assert again.controller.outputs[0].on, "held on, as desired state 40 set it"
    again.desired_state(0, 41)
    assert not again.controller.outputs[0].on


def test_a_new_command_on_the_same_pin_counts_from_its_own_beginning():
    device = Device()
    device.desired_state(1, 40)
    device.deliver()
    device.wait(61)
    device.flash.record = device.flash.record.replace(b'"a"', b'"gone"')
    again = Device(device.flash)
    again.desired_state(0, 3)
    assert not again.controller.outputs[0].on


def test_long_texts_of_the_cloud_cannot_fill_the_record():
    device = Device()
    device.controller.receive_desired(Desired("a", 1, "d" * 5000, 3, 600), device.ms())
    device.tick()
    device.deliver()
    device.wait(61)
    assert len(device.flash.record) < 200


def test_the_time_is_written_when_it_has_gone_on_for_six_hours():
    device = Device()
    device.wait(21000)
    assert json.loads(device.flash.record)["utc"] == 0
    device.wait(700)
    assert abs(json.loads(device.flash.record)["utc"] - device.utc()) < 200
    device.flash.writes.clear()
    device.wait(22000)
    assert device.flash.writes.count("record") == 1


def test_a_time_that_was_corrected_is_not_written():
    device = Device()
    device.utc_now = UTC + 400000  # a time server lies
    device.wait(21000)
    device.utc_now = UTC
    device.wait(21000)
    assert json.loads(device.flash.record)["utc"] == 0


def test_a_time_with_which_the_cloud_refuses_us_is_not_written():
    device = Device()
    device.lease.end("refused")
    device.wait(22000)
    assert json.loads(device.flash.record)["utc"] == 0


def answer(device):
    """The report that answers the latest desired state."""
    return device.outbox.complete(device.controller.commands[0].answered)


def online(device, **how):
    """The device after a power cut, authorized again and with its catalog; its lock is open."""
    again = Device(device.flash, applied=False, **how)
    again.controller.outputs[0].hold(0.0)
    again.lease.grant(again.ms(), 360000, 0)
    again.lease.confirm()
    apply_catalog(again.controller, CATALOG)
    again.tick()
    return again


def test_an_acknowledged_desired_state_is_not_applied_again_after_a_power_cut():
    for accepted in (False, True):
        for seconds in (0, 1, 59, 61, 200):
            device = Device()
            device.desired_state(1, 40)
            first = answer(device)
            device.press()
            device.persistence.write()
            if accepted:
                device.deliver()
            device.wait(seconds)
            again = online(device)
            again.desired_state(1, 40)
            assert not again.controller.outputs[0].on, (accepted, seconds)
            (report,) = [r for r in map(again.outbox.complete, again.outbox.reports) if r.desired_id]
            assert report.message_id == first.message_id and report[2:5] == first[2:5]
            assert report[6:] == first[6:]
            again.deliver()
            again.desired_state(1, 40)
            assert [
                r.message_id for r in map(again.outbox.complete, again.outbox.reports) if r.desired_id
            ] == [first.message_id]


def test_an_answer_stays_known_over_a_second_cut_that_comes_before_anything_new():
    device = Device()
    device.desired_state(1, 40)
    device.persistence.write()
    first = answer(device)
    again = online(device)
    again.deliver()
    again.wait(61)
    assert again.flash.payloads == []
    third = online(again)
    third.desired_state(1, 40)
    assert not third.controller.outputs[0].on
    assert [r.message_id for r in map(third.outbox.complete, third.outbox.reports) if r.desired_id] == [
        first.message_id
    ]


def test_an_older_desired_state_stays_older_than_an_answer_that_only_the_journal_has():
    for key, value, known in (("b", 18.5, [None, 40]), ("a", 1, [40, None])):
        device = Device()
        device.controller.receive_desired(Desired(key, value, "des_40", 40, 600), device.ms())
        device.tick()
        device.persistence.write()
        device.flash.record = None
        again = online(device)
        assert [command.last and command.last.sequence for command in again.controller.commands] == known
    again.desired_state(1, 39)
    assert not again.controller.outputs[0].on
    again.desired_state(1, 41)
    assert again.controller.outputs[0].on


def test_the_latest_acknowledgement_is_kept_while_the_next_state_is_pending():
    device = Device()
    device.controller.outputs[0].cfg["min_on_s"] = 1000
    device.desired_state(1, 40)
    device.deliver()
    device.wait(61)
    device.controller.receive_desired(Desired("a", 0, "des_41", 41, 600), device.ms())
    device.controller.outputs[1].demand(18.5)  # something else that is written down
    device.wait(61)
    again = online(device)
    again.desired_state(1, 40)
    assert not again.controller.outputs[0].on


def test_answers_are_known_without_numbers_while_they_wait_to_be_sent():
    for cut in (False, True):
        device = Device()
        for value, name in ((1, "des_a"), (0, "des_b")):
            device.controller.receive_desired(Desired("a", value, name, None, 600), device.ms())
            device.tick()
        device.persistence.write()
        if cut:
            device = online(device)
        for value, name in ((1, "des_a"), (0, "des_b"), (1, "des_a")):
            device.controller.receive_desired(Desired("a", value, name, None, 600), device.ms())
            device.tick()
            assert not device.controller.outputs[0].on, (cut, name)
        assert [r.desired_id for r in device.outbox.reports if r.desired_id] == ["des_a", "des_b"]


def test_an_identity_too_long_to_be_written_down_is_known_by_its_number():
    device = Device()
    device.controller.receive_desired(Desired("a", 1, "d" * 500, 40, 600), device.ms())
    device.tick()
    device.persistence.write()
    device.deliver()
    device.wait(61)
    assert len(device.flash.record) < 200
    again = online(device)
    again.controller.receive_desired(Desired("a", 1, "d" * 500, 40, 600), again.ms())
    again.tick()
    assert not again.controller.outputs[0].on


def test_a_record_of_an_earlier_version_is_still_read():
    device = Device()
    device.flash.record = b'{"utc": 0, "6": [1.0, ["a", "des_40", 40]]}'
    again = online(device)
    for _ in range(2):
        again.desired_state(1, 40)
        again.desired_state(1, 39)
        assert not again.controller.outputs[0].on
        assert not [r for r in map(again.outbox.complete, again.outbox.reports) if r.desired_id]
        again.wait(61)
        again = online(again)


def test_the_journal_is_kept_while_the_record_cannot_be_written():
    device = Device()
    device.desired_state(1, 40)
    device.persistence.write()
    device.deliver()
    device.flash.refuses = ("record",)
    device.wait(130)
    device.flash.refuses = ()
    again = online(device)
    again.desired_state(1, 40)
    assert not again.controller.outputs[0].on


def test_an_answer_is_in_the_record_when_the_journal_had_no_room_and_the_cut_comes_between():
    device = Device()
    device.desired_state(1, 39)
    device.deliver()
    device.flash.crowded = True
    device.desired_state(1, 40)
    first = answer(device)
    device.flash.refuses = ("rewrite",)
    device.persistence.write()
    device.persistence.lazy.start -= 60000
    device.persistence.write()
    device.flash.refuses = ()
    again = online(device)
    assert first.message_id in [w[0] for w in again.waiting()]
    again.desired_state(1, 40)
    assert not again.controller.outputs[0].on
    record = device.flash.record
    device.persistence.lazy.start -= 60000
    device.persistence.write()
    device.flash.record = record
    assert online(device).outbox.kept[first.message_id] == first.at, "it need not be written again"


def test_events_before_the_first_contact_survive_a_power_cut():
    device = Device(applied=False)
    for _ in range(2):
        device.press()
        device.persistence.write()
    assert len(device.flash.payloads) == 2
    again = Device(device.flash, applied=False)
    again.press()
    again.persistence.write()
    third = online(again)
    reported = [(r.id, r.value) for r in third.outbox.batch(20)]
    assert reported[:3] == [("a", "1.0"), ("a", "0.0"), ("a", "1.0")]
    third.deliver()
    third.wait(61)
    assert third.flash.payloads == []
