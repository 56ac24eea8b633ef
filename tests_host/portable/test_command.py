"""Offers of the cloud and what becomes of them: order, duplicates, windows, ranges, and values without an identity."""

from firmware.core.command import CommandState
from firmware.core.models import NOTHING_NEW, SUPERSEDED, Command, Desired
from firmware.core.outbox import Outbox
from firmware.core.output import Output
from tests_host.support.parts import HEATER, SWITCH

WRAP = 0x40000000
START = WRAP - 1000
UTC = 1777025700


def at(seconds):
    return (START + int(seconds * 1000)) % WRAP


def row(key=1, low=None, high=None, step=None):
    return Command(key, "relay", "6", low, high, step, None)


def desired_state(value, desired_id=None, sequence=None, valid_s=None):
    return Desired(1, value, desired_id, sequence, valid_s)


class Bench:
    """One command with its output, a relay that follows, and a cloud that takes every report."""

    def __init__(self, base=SWITCH, catalog_row=None, **changes):
        cfg = dict(base)
        cfg.update(changes)
        self.outbox = Outbox(1, 2, START)
        self.output = Output(cfg, False, START)
        self.command = CommandState(self.outbox, self.output)
        self.command.bind_row(catalog_row or row())
        self.stuck = False
        self.tick(0)
        self.reported()

    def tick(self, second):
        self.outbox.update(at(second), UTC + int(second))
        on = self.output.level(20.0, at(second), False)
        if not self.stuck:
            self.output.switched(on, at(second))
        self.command.tick(at(second))

    def receive_desired(self, second, *states):
        """Offer and look once; the note."""
        note = None
        for desired in states:
            note = self.command.receive_desired(desired, at(second), False)
        self.tick(second)
        return note

    def reported(self):
        """[(value, desired_id, status, sequence)] since the last call; they are answered for."""
        reports, self.outbox.reports = map(self.outbox.complete, self.outbox.reports), []
        return [(r.value, r.desired_id, r.status, r.sequence) for r in reports]


def test_a_desired_state_is_applied_and_acknowledged_once():
    bench = Bench()
    assert bench.receive_desired(1, desired_state("1", "des_1", 5, 30)) is None
    assert bench.output.on
    assert bench.reported() == [("1.0", "des_1", "applied", 5)]
    bench.tick(2)
    assert bench.reported() == []


def test_a_desired_value_that_is_reached_already_is_acknowledged():
    bench = Bench()
    bench.receive_desired(1, desired_state("0.0", "des_1", 5, 30))
    assert bench.reported() == [("0.0", "des_1", "applied", 5)]


def test_a_setpoint_is_applied_when_it_is_in_force():
    bench = Bench(HEATER)
    bench.receive_desired(1, desired_state(18.5, "des_1", None, None))
    assert bench.output.target == 18.5 and bench.output.on is False
    assert bench.reported() == [("18.5", "des_1", "applied", None)]


def test_numbers_and_texts_are_the_same_desired_value():
    for value in (1, 1.0, "1", "1.0", "1.000", "01"):
        bench = Bench()
        bench.receive_desired(1, desired_state(value, "des_1", 1, 30))
        assert bench.output.on and bench.reported()[0][2] == "applied", value


def test_rejected_values_are_reported_with_the_present_value():
    for base, value in (
        (SWITCH, "on"), (SWITCH, None), (SWITCH, True), (SWITCH, [1]), (SWITCH, "nan"), (SWITCH, "0.5"),
        (SWITCH, 2), (SWITCH, "-1"), (HEATER, 4.5), (HEATER, "35.5"), (HEATER, "18.25"), (HEATER, "warm"),
        (HEATER, 10**300),
    ):  # fmt: skip
        bench = Bench(base)
        bench.receive_desired(1, desired_state("1" if base is SWITCH else "20", "des_0", 1, 30))
        before = bench.reported()[0][0]
        assert bench.receive_desired(2, desired_state(value, "des_1", 2, 30)), value
        assert bench.reported() == [(before, "des_1", "rejected", 2)], value
        assert bench.output.target == float(before)
        bench.tick(3)
        assert bench.reported() == []


def test_a_superseded_desired_state_is_answered_with_the_relay_where_no_setpoint_is_in_force():
    for on in (False, True):
        bench = Bench(HEATER)
        bench.output.on = on
        bench.command.receive_desired(desired_state(20, "des_1", 1, SUPERSEDED), at(1), False)
        assert bench.reported() == [("%d.0" % on, "des_1", "stale", 1)]


def test_a_regulator_without_a_setpoint_acknowledges_what_it_does_not_apply():
    """What it tells is the relay, as there is no setpoint in force."""
    for desired, status in (
        (desired_state(50, "des_1", 1, 30), "rejected"),
        (desired_state("warm", "des_1", 1, 30), "rejected"),
        (desired_state(20, "des_1", 1, 0), "stale"),
    ):
        for _ in range(2):
            bench = Bench(HEATER)
            assert bench.receive_desired(1, desired)
            assert bench.reported() == [("0.0", "des_1", status, 1)], desired
            assert bench.output.target is None
            bench.receive_desired(2, desired)
            assert [r[1:3] for r in bench.reported()] == [("des_1", status)], "the same report once more"
    bench = Bench(HEATER)
    bench.command.receive_desired(desired_state(20, "des_1", 1, 30), at(1), True)
    bench.tick(2)
    assert bench.reported() == [("0.0", "des_1", "stale", 1)], "in safe state"
    bench = Bench(HEATER)
    bench.command.receive_desired(desired_state(20, "des_1", 1, 30), at(1), False)
    bench.command.enter_safe_state()
    assert [r[1:3] for r in bench.reported()] == [("des_1", "stale")]
    bench = Bench(HEATER)
    bench.receive_desired(1, desired_state(50))
    assert bench.reported() == [], "without an identity there is nothing to answer, and nothing to tell"


def test_the_ends_and_the_steps_of_a_range_are_accepted():
    for value in (5, "35", 5.5, "20.0", 34.5):
        bench = Bench(HEATER)
        assert bench.receive_desired(1, desired_state(value, "des_1", 1, 30)) is None
        assert bench.reported()[0][2] == "applied", value
    fine = Bench(HEATER, step=0.1, min=-10.0)
    for tenths in range(-100, 351, 7):
        assert (
            fine.receive_desired(1, desired_state("%.1f" % (tenths / 10), "des_%d" % tenths, None, None))
            is None
        ), tenths
    odd = Bench(HEATER, min=5.25, step=1)
    assert (
        odd.receive_desired(1, desired_state(7.25)) is None
        and odd.receive_desired(2, desired_state(7.75)) is not None
    )
    free = Bench(HEATER, step=0)
    assert free.receive_desired(1, desired_state("18.251", "des_1", 1, 30)) is None


def test_the_clouds_range_binds_beside_the_owners():
    bench = Bench(HEATER, row(1, 10.0, 25.0, 1.0))
    for value in (9, 26, 18.5, 4):
        assert bench.receive_desired(1, desired_state(value)) is not None and bench.output.target is None, (
            value
        )
    assert bench.receive_desired(2, desired_state(18)) is None and bench.output.target == 18.0


def test_a_refused_polled_value_is_followed_by_one_report_of_the_present_value():
    bench = Bench()
    bench.receive_desired(1, desired_state("0"))
    bench.reported()
    for second in range(2, 10):
        bench.receive_desired(second, desired_state("on"))
    assert bench.reported() == [("0.0", None, None, None)]
    bench.receive_desired(10, desired_state("off"))
    assert bench.reported() == [("0.0", None, None, None)], "another refusal"
    bench.receive_desired(11, desired_state("1"))
    assert bench.output.on and bench.reported() == [("1.0", None, None, None)]


def test_the_sequence_number_decides_the_order():
    for sequence, counts in ((9, False), (10, False), (11, True), (None, True), (1000, True), (-1, False)):
        bench = Bench()
        bench.receive_desired(1, desired_state("0", "des_a", 10, None))
        bench.reported()
        bench.receive_desired(2, desired_state("1", "des_b", sequence, None))
        assert bench.output.on is counts, sequence
        assert bool(bench.reported()) is counts, "an older one is not even answered"


def test_a_polled_value_keeps_the_sequence():
    """Found by the simulation: a message that came late was carried out after what was polled meanwhile."""
    bench = Bench()
    bench.receive_desired(0, desired_state("1", "des_a", 10))
    bench.receive_desired(1, desired_state("0"))
    bench.receive_desired(2, desired_state("1", "des_b", 9))
    assert not bench.output.on
    bench.receive_desired(3, desired_state("1", "des_c", 11))
    assert bench.output.on
    bench.receive_desired(4, desired_state("0"), desired_state("1"), desired_state("0"))
    bench.receive_desired(5, desired_state("1", "des_d", 11))
    assert not bench.output.on


def test_a_rejected_or_stale_state_counts_for_the_sequence():
    for bad in (desired_state("7", "des_b", 20, 30), desired_state("1", "des_b", 20, 0)):
        bench = Bench()
        bench.receive_desired(1, desired_state("0", "des_a", 10, 30), bad)
        bench.receive_desired(2, desired_state("1", "des_c", 15, 30))
        assert not bench.output.on and bench.reported()[-1][1] == "des_b"


def test_a_duplicate_gets_the_earlier_report_again():
    bench = Bench()
    first = desired_state("1", "des_1", 5, 30)
    bench.receive_desired(1, first)
    (report,) = bench.outbox.reports
    bench.receive_desired(2, first)
    assert bench.outbox.reports == [report], "it still waits"
    bench.outbox.acknowledge(bench.outbox.identity(report.message_id))
    bench.receive_desired(3, first)
    assert bench.outbox.reports == [report]
    bench.reported()
    # By hand off meanwhile: the duplicate still does not actuate.
    bench.output.demand(0.0, True)
    bench.tick(4)
    assert [r[0] for r in bench.reported()] == ["0.0"]
    bench.receive_desired(5, desired_state("1", "des_1", 99, 30))
    assert not bench.output.on and bench.outbox.reports == [report]


def test_the_same_identity_for_another_command_is_no_duplicate():
    for other in (0, 2):
        bench = Bench()
        bench.outbox.post("command", other, 1.0, Desired(other, "1", "des_1", 5, 30), "applied")
        bench.receive_desired(1, desired_state("1", "des_1", 5, 30))
        assert bench.output.on


def test_a_duplicate_of_a_pending_state_does_not_repeat_the_earlier_report():
    bench = Bench(min_on_s=60)
    bench.receive_desired(1, desired_state("1", "des_1", 5, 30))
    assert bench.reported() == [("1.0", "des_1", "applied", 5)]
    for second in (2, 3):
        bench.receive_desired(second, desired_state("0", "des_2", 6, 300))
    assert bench.reported() == []
    for second in range(4, 62):
        bench.tick(second)
    assert bench.reported() == [("0.0", "des_2", "applied", 6)]


def test_a_duplicate_of_a_pending_state_is_not_acknowledged_yet():
    bench = Bench(min_off_s=60)
    first = desired_state("1", "des_1", 5, 300)
    for second in (1, 2, 3):
        bench.receive_desired(second, first)
    assert bench.reported() == []
    bench.tick(60)
    assert bench.reported() == [("1.0", "des_1", "applied", 5)]


def test_a_window_that_is_closed_on_arrival_is_too_late():
    for valid_s in (0, -1, -5.5):
        bench = Bench()
        bench.receive_desired(1, desired_state("0"), desired_state("1"), desired_state("0"))
        assert bench.receive_desired(2, desired_state("1", "des_1", 5, valid_s)) is not None
        bench.tick(3)
        assert not bench.output.on
        assert bench.reported() == [("0.0", "des_1", "stale", 5)]


def test_a_window_that_closes_while_a_limit_holds_is_stale_and_never_carried_out():
    bench = Bench(min_off_s=60)
    bench.receive_desired(1, desired_state("1", "des_1", 5, 30))
    for second in range(2, 31):
        bench.tick(second)
    assert bench.reported() == [] and bench.output.target == 1.0
    bench.tick(31)
    assert bench.reported() == [("0.0", "des_1", "stale", 5)]
    for second in range(32, 200):
        bench.tick(second)
        assert not bench.output.on
    assert bench.reported() == []


def test_a_window_that_is_long_enough_is_not_stale():
    bench = Bench(min_off_s=60)
    bench.receive_desired(1, desired_state("1", "des_1", 5, 60))
    for second in range(2, 61):
        bench.tick(second)
    assert bench.reported() == [("1.0", "des_1", "applied", 5)]
    bench.tick(61)
    assert bench.reported() == [] and bench.output.on


def test_without_a_window_a_desired_state_stays_pending():
    bench = Bench(min_off_s=86400)
    bench.receive_desired(1, desired_state("1", "des_1", 5, None))
    for second in range(60, 86460, 60):
        bench.tick(second)
    reported = bench.reported()
    assert [r for r in reported if r[1]] == [("1.0", "des_1", "applied", 5)] and reported[-1][1]


def test_a_superseded_state_is_stale():
    bench = Bench(min_off_s=60)
    bench.receive_desired(1, desired_state("1", "des_1", 5, 300))
    bench.receive_desired(2, desired_state("0", "des_2", 6, 300))
    assert bench.reported() == [("0.0", "des_1", "stale", 5), ("0.0", "des_2", "applied", 6)]
    bench.tick(61)
    assert not bench.output.on


def test_a_pin_that_does_not_follow_is_not_applied():
    bench = Bench()
    bench.stuck = True
    bench.receive_desired(1, desired_state("1", "des_1", 5, 30))
    bench.tick(2)
    assert bench.reported() == []
    bench.tick(31)
    assert bench.reported() == [("0.0", "des_1", "stale", 5)]


def test_entering_safe_state_makes_a_pending_state_stale():
    bench = Bench(min_off_s=60)
    bench.receive_desired(1, desired_state("1", "des_1", 5, 300))
    bench.command.enter_safe_state()
    bench.tick(100)
    assert not bench.output.on
    assert bench.reported() == [("0.0", "des_1", "stale", 5)]


def test_entering_safe_state_after_an_acknowledgement_is_reported_as_a_local_change():
    bench = Bench()
    bench.receive_desired(1, desired_state("1", "des_1", 5, 30))
    bench.reported()
    bench.command.enter_safe_state()
    bench.tick(2)
    assert bench.reported() == [("0.0", None, None, None)]
    bench = Bench(HEATER)
    bench.receive_desired(1, desired_state("20", "des_1", 5, 30))
    bench.reported()
    bench.command.enter_safe_state()
    bench.tick(2)
    assert bench.reported() == [], "no setpoint is in force, and no number stands for that"


def test_an_acknowledged_desired_id_is_not_applied_again_after_safe_state():
    bench = Bench()
    bench.receive_desired(1, desired_state("1", "des_1", 5, 30))
    bench.command.enter_safe_state()
    bench.tick(2)
    bench.receive_desired(3, desired_state("1", "des_1", 5, 30))
    assert not bench.output.on


def test_polled_values_count_when_they_change():
    bench = Bench()
    for second, value, on in (
        (1, "0", False), (2, "1", True), (3, 1.0, True), (4, "1.000", True), (5, "0.0", False), (6, 0, False),
        (7, 1, True),
    ):  # fmt: skip
        bench.receive_desired(second, desired_state(value))
        assert bench.output.on is on, second
    assert [r[0] for r in bench.reported()] == ["1.0", "0.0", "1.0"]


def test_an_unchanged_polled_value_does_not_undo_a_manual_override():
    bench = Bench()
    bench.receive_desired(1, desired_state("0"), desired_state("1"))
    bench.output.demand(0.0, True)
    for second in range(2, 20):
        bench.receive_desired(second, desired_state("1"))
        assert not bench.output.on
    bench.receive_desired(20, desired_state("0"), desired_state("1"))
    assert bench.output.on and not bench.output.manual_override


COUNTS = ("resume", False, True), ("resume", True, False), ("wait", False, False), ("wait", True, False)
"""(`after_lapse`, whether somebody has switched it by hand, whether the same value counts)."""


def test_the_first_polled_value_after_power_up():
    for after_lapse, manual_override, counts in COUNTS:
        bench = Bench(after_lapse=after_lapse)
        if manual_override:
            bench.output.demand(0.0, True)
        bench.receive_desired(1, desired_state("1"))
        assert bench.output.on is counts, (after_lapse, manual_override)
        bench.receive_desired(2, desired_state("1"))
        assert bench.output.on is counts
        bench.receive_desired(3, desired_state("0"), desired_state("1"))
        assert bench.output.on, "a change always counts"


def test_the_same_polled_value_after_safe_state():
    for after_lapse, manual_override, counts in COUNTS:
        bench = Bench(after_lapse=after_lapse)
        bench.receive_desired(1, desired_state("0"), desired_state("1"))
        assert bench.output.on
        bench.command.enter_safe_state()
        bench.tick(2)
        if manual_override:
            bench.output.demand(0.0, True)
        bench.receive_desired(3, desired_state("1"))
        assert bench.output.on is counts, (after_lapse, manual_override)
        bench.receive_desired(4, desired_state("0"), desired_state("1"))
        assert bench.output.on


def test_a_resumed_value_is_not_applied_again_by_every_poll():
    bench = Bench(max_on_s=100)
    bench.receive_desired(1, desired_state("0"), desired_state("1"))
    bench.command.enter_safe_state()
    bench.tick(2)
    for second in range(3, 300):
        bench.receive_desired(second, desired_state("1"))
        assert bench.output.on is (second < 103), second


def test_a_manual_override_before_safe_state_does_not_block_a_later_desired_value():
    bench = Bench()
    bench.receive_desired(1, desired_state("0"), desired_state("1"))
    bench.output.demand(0.0, True)
    bench.command.enter_safe_state()
    bench.receive_desired(2, desired_state("1"))
    assert bench.output.on


def test_a_polled_refusal_is_not_repeated_but_any_other_is():
    bench = Bench()
    notes = [
        bench.receive_desired(1, desired_state(v))
        for v in ("0", "x", "x", "y", [1], [1], "x", None, None, "0", "1")
    ]
    refused = [note is not None for note in notes]
    assert refused == [False, True, False, True, True, False, True, True, False, False, False]
    assert bench.output.on


def test_a_command_that_is_gone_leaves_its_output_safe():
    bench = Bench(min_off_s=60)
    bench.receive_desired(1, desired_state("1", "des_1", 5, 300))
    bench.command.bind_row(None)
    for second in range(2, 100):
        bench.tick(second)
    assert not bench.output.on and bench.output.target is None
    assert bench.reported() == [("0.0", "des_1", "stale", 5)], "the cloud may know the command still"
    bench.command.bind_row(row())
    bench.tick(100)
    assert bench.reported() == [("0.0", None, None, None)]
    bench.receive_desired(101, desired_state("1", "des_1", 5, 300))
    assert not bench.output.on and bench.reported() == [("0.0", "des_1", "stale", 5)], "answered already"


def test_a_command_that_comes_back_keeps_its_order():
    """Found by the simulation: a message that was late or came twice was carried out."""
    bench = Bench()
    bench.receive_desired(1, desired_state("0", "des_4", 4, 300), desired_state("1", "des_5", 5, 300))
    bench.command.bind_row(None)
    bench.command.bind_row(row())
    bench.tick(2)
    assert not bench.output.on
    bench.reported()
    bench.receive_desired(3, desired_state("1", "des_3", 3, 300))
    assert not bench.output.on and bench.reported() == []
    bench.receive_desired(4, desired_state("1", "des_6", 6, 300))
    assert bench.output.on and bench.reported() == [("1.0", "des_6", "applied", 6)]


def test_a_newer_desired_state_counts_after_the_command_was_gone():
    """Found by the simulation, over MQTT: what the poll brought after the hand was never carried out."""
    for value, manual_override, after_lapse, on in (
        ("0", 1.0, "resume", False),
        ("0", 1.0, "wait", False),
        ("1", 0.0, "resume", False),  # it may be the value from before the manual override
        ("1", None, "resume", True),
        ("1", None, "wait", False),
    ):
        bench = Bench(after_lapse=after_lapse)
        bench.receive_desired(1, desired_state("1", "des_1", 1, 300))
        bench.command.bind_row(None)
        if manual_override is not None:
            bench.output.demand(manual_override, True)
        bench.tick(2)
        bench.command.bind_row(row())
        bench.receive_desired(3, desired_state(value))
        assert bench.output.on is on, (value, manual_override, after_lapse)


def test_an_unchanged_row_keeps_the_state_of_its_command():
    bench = Bench(min_off_s=60)
    bench.receive_desired(1, desired_state("1", "des_1", 5, 300))
    bench.command.bind_row(row())
    bench.tick(60)
    assert bench.reported() == [("1.0", "des_1", "applied", 5)]
    bench.command.bind_row(row())
    bench.receive_desired(61, desired_state("0", "des_0", 4, 300))
    assert bench.output.on, "older"
    assert bench.reported() == []


def test_another_command_on_the_same_output_begins_anew_without_switching_it():
    bench = Bench()
    bench.receive_desired(1, desired_state("1", "des_1", 500, 300))
    bench.reported()
    bench.command.bind_row(row(2))
    bench.tick(2)
    assert bench.output.on and bench.reported() == [("1.0", None, None, None)]
    bench.receive_desired(3, desired_state("0", "des_2", 1, 300))
    assert not bench.output.on and bench.reported() == [("0.0", "des_2", "applied", 1)]


def test_an_output_without_a_command_keeps_its_manual_override_over_catalogs():
    bench = Bench()
    bench.command.bind_row(None)
    bench.output.demand(1.0, True)
    bench.command.bind_row(None)
    bench.tick(5)
    assert bench.output.on and bench.output.manual_override


IDLE = desired_state(NOTHING_NEW)


def test_nothing_new_has_no_effect_except_after_safe_state():
    bench = Bench()
    bench.receive_desired(1, IDLE)
    assert not bench.output.on and bench.reported() == []
    bench.receive_desired(2, desired_state("1", "des_1", 1, 30), IDLE)
    bench.command.enter_safe_state()
    bench.tick(3)
    assert not bench.output.on
    bench.reported()
    bench.receive_desired(4, IDLE)
    assert bench.output.on and bench.reported() == [("1.0", None, None, None)], "no second answer"
    bench.output.demand(0.0, True)
    bench.receive_desired(5, IDLE)
    assert not bench.output.on, "once only"


def test_nothing_new_resumes_applied_values_only():
    for after_lapse, manual_override, first, counts in (
        ("resume", False, desired_state("1", "des_1", 1, 30), True),
        ("wait", False, desired_state("1", "des_1", 1, 30), False),
        ("resume", True, desired_state("1", "des_1", 1, 30), False),
        ("resume", False, desired_state("7", "des_1", 1, 30), False),  # was refused
        ("resume", False, desired_state("1", "des_1", 1, 0), False),  # came too late
    ):
        bench = Bench(after_lapse=after_lapse)
        bench.receive_desired(1, first)
        bench.command.enter_safe_state()
        bench.tick(2)
        if manual_override:
            bench.output.demand(0.0, True)
        bench.receive_desired(3, IDLE)
        assert bench.output.on is counts, (after_lapse, manual_override, first)


def test_a_state_pending_when_safe_state_begins_is_not_resumed():
    bench = Bench(min_off_s=10)
    bench.receive_desired(1, desired_state("1", "des_1", 1, 30))
    bench.command.enter_safe_state()
    assert bench.reported() == [("0.0", "des_1", "stale", 1)]
    bench.receive_desired(20, IDLE)
    assert not bench.output.on


def test_a_polled_value_behind_the_acknowledged_state_is_not_resumed_as_if_it_were_that():
    for polled in ("0", "1"):
        bench = Bench()
        bench.receive_desired(1, desired_state("1", "des_1", 1, 30))
        bench.receive_desired(2, desired_state("0"))
        bench.receive_desired(3, desired_state(polled))
        bench.command.enter_safe_state()
        bench.receive_desired(4, IDLE)
        assert not bench.output.on


def test_a_value_that_is_polled_after_it_came_too_late_in_safe_state_counts_as_unchanged():
    for after_lapse, manual_override, counts in (
        ("resume", False, True),
        ("wait", False, False),
        ("resume", True, False),
    ):
        bench = Bench(after_lapse=after_lapse)
        bench.command.enter_safe_state()
        late = desired_state("1", "des_1", 1, 30)
        assert bench.command.receive_desired(late, at(1), True) == "desired value came too late"
        bench.tick(1)
        assert not bench.output.on and bench.reported() == [("0.0", "des_1", "stale", 1)]
        if manual_override:
            bench.output.demand(0.0, True)
        bench.receive_desired(2, desired_state("1"))
        assert bench.output.on is counts, (after_lapse, manual_override)


def test_another_command_resumes_nothing():
    bench = Bench()
    bench.receive_desired(1, desired_state("1", "des_1", 1, 30))
    bench.command.enter_safe_state()
    bench.command.bind_row(row(2))
    bench.receive_desired(2, Desired(2, NOTHING_NEW, None, None, None))
    assert not bench.output.on
