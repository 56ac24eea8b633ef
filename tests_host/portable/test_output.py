"""What a relay may do whoever asks, what an output falls back to, and two-point control."""

from firmware.core.output import Output
from tests_host.support.parts import HEATER, SWITCH

WRAP = 0x40000000
START = WRAP - 1000  # the counter wraps one second after the start


def at(seconds):
    return (START + int(seconds * 1000)) % WRAP


def output(base, on=False, **changes):
    cfg = dict(base)
    cfg.update(changes)
    return Output(cfg, on, START)


def drive(out, seconds, reading=None, blocked=False):
    """What the control loop does with one output; returns (on, why)."""
    level = out.level(reading, at(seconds), blocked)
    assert level is True or level is False
    out.switched(level, at(seconds))
    return out.on, out.why


def trace(out, demands, until, reading=None):
    """The second of every switching. `demands`: {second: target}; looks ten times a second."""
    found = []
    before = out.on
    for tenth in range(until * 10):
        if tenth % 10 == 0 and tenth // 10 in demands:
            out.demand(demands[tenth // 10])
        drive(out, tenth / 10, reading)
        if out.on != before:
            before = out.on
            found.append((tenth / 10, before))
    return found


def test_without_limits_it_follows_the_demand_at_once():
    out = output(SWITCH)
    assert trace(out, {1: 1.0, 3: 0.0, 4: 1.0}, 10) == [(1, True), (3, False), (4, True)]
    assert out.why is None


def test_a_limit_without_effect_is_not_named():
    out = output(SWITCH, min_on_s=5, min_off_s=10, max_on_s=1000)
    assert drive(out, 1) == (False, None)
    assert drive(out, 2, blocked=True) == (False, None)
    out.demand(1.0)
    assert drive(out, 10) == (True, None) and drive(out, 11) == (True, None)
    assert drive(out, 20) == (True, None)
    out.demand(0.0)
    assert drive(out, 21) == (False, None) and drive(out, 22) == (False, None)
    # After max_on_s it is named for as long as somebody still wants it on.
    out = output(SWITCH, max_on_s=1)
    out.demand(1.0)
    assert drive(out, 0) == (True, None) and drive(out, 0.999) == (True, None)
    assert drive(out, 1) == (False, "max_on_s")
    out.demand(None)
    assert drive(out, 2) == (False, None)


def test_min_on_holds_it_on():
    out = output(SWITCH, min_on_s=5)
    assert trace(out, {1: 1.0, 2: 0.0}, 20) == [(1, True), (6, False)]
    out = output(SWITCH, min_on_s=5)
    out.demand(1.0)
    drive(out, 0)
    out.demand(0.0)
    assert drive(out, 4.999) == (True, "min_on_s")
    assert drive(out, 5) == (False, None)


def test_min_off_holds_it_off_after_power_up_too():
    out = output(SWITCH, min_off_s=10)
    out.demand(1.0)
    assert drive(out, 0) == (False, "min_off_s")
    assert drive(out, 9.999) == (False, "min_off_s")
    assert drive(out, 10) == (True, None)
    assert trace(output(SWITCH, min_off_s=10), {0: 1.0, 20: 0.0, 21: 1.0}, 60) == [
        (10, True),
        (20, False),
        (30, True),
    ]


def test_a_demand_that_ends_while_held_off_has_no_effect():
    assert trace(output(SWITCH, min_off_s=10), {2: 1.0, 8: 0.0}, 40) == []


def test_after_max_on_s_a_switch_stays_off_until_the_next_demand():
    out = output(SWITCH, max_on_s=30)
    assert trace(out, {1: 1.0}, 200) == [(1, True), (31, False)]
    assert out.why == "max_on_s" and out.target == 1.0
    out.demand(1.0)
    assert drive(out, 201) == (True, None)
    assert drive(out, 230.999) == (True, None)
    assert drive(out, 231) == (False, "max_on_s")


def test_a_repeated_demand_does_not_extend_max_on_s():
    out = output(SWITCH, max_on_s=30)
    demands = dict.fromkeys(range(30), 1.0)
    assert trace(out, demands, 60) == [(0, True), (30, False)]


def test_a_repeated_demand_is_held_by_min_off_s():
    out = output(SWITCH, max_on_s=30, min_off_s=60)
    assert trace(out, {60: 1.0, 100: 1.0}, 300) == [(60, True), (90, False), (150, True), (180, False)]


def test_switching_off_and_on_again_is_a_new_demand():
    assert trace(output(SWITCH, max_on_s=10), {0: 1.0, 15: 0.0, 16: 1.0}, 40) == [
        (0, True),
        (10, False),
        (16, True),
        (26, False),
    ]


def test_a_regulator_rests_after_max_on_and_goes_on_by_itself():
    out = output(HEATER, max_on_s=30, min_off_s=20)
    assert trace(out, {20: 20.0}, 141, reading=10.0) == [
        (20, True),
        (50, False),
        (70, True),
        (100, False),
        (120, True),
    ]


def test_max_on_s_outranks_min_on_s():
    out = output(SWITCH, min_on_s=10, max_on_s=10)
    assert trace(out, {0: 1.0, 1: 0.0}, 30) == [(0, True), (10, False)]


def test_an_interlock_holds_off_and_outranks_the_least_on_time():
    out = output(SWITCH)
    out.demand(1.0)
    assert drive(out, 0, blocked=True) == (False, "interlock")
    assert drive(out, 1, blocked=False) == (True, None)
    assert drive(out, 2, blocked=True) == (False, "interlock"), "the other one is stuck"
    out = output(SWITCH, min_on_s=10)
    out.demand(1.0)
    assert drive(out, 1) == (True, None)
    assert drive(out, 2, blocked=True) == (False, "interlock")
    out = output(SWITCH, min_off_s=10)
    out.demand(1.0)
    assert drive(out, 1, blocked=True) == (False, "interlock")
    assert drive(out, 9, blocked=False) == (False, "min_off_s")


def test_all_limits_together():
    out = output(SWITCH, min_on_s=5, min_off_s=10, max_on_s=20)
    assert trace(out, {0: 1.0, 12: 0.0, 16: 1.0, 50: 1.0}, 100) == [
        (10, True),
        (15, False),  # desired off at 12, held by min_on_s
        (25, True),  # desired on at 16, held by min_off_s
        (45, False),  # max_on_s
        (55, True),  # asked anew at 50, held by min_off_s
        (75, False),
    ]


def test_limits_of_four_days_survive_the_wrap():
    four_days = 345600
    out = output(SWITCH, max_on_s=four_days)
    out.demand(1.0)
    for hour in range(96):
        assert drive(out, hour * 3600) == (True, None)
    assert drive(out, four_days - 1) == (True, None)
    assert drive(out, four_days) == (False, "max_on_s")
    for hour in range(96, 96 + 24 * 30):
        assert drive(out, hour * 3600) == (False, "max_on_s")


def test_safe_states_of_a_switch():
    for safe, on, expected in (
        ("off", False, False), ("off", True, False), ("on", False, True), ("on", True, True),
        ("hold", False, False), ("hold", True, True),
    ):  # fmt: skip
        out = output(SWITCH, on=on, safe=safe)
        assert drive(out, 1)[0] is expected, (safe, on)
        # The same after a demand that ended.
        out.demand(float(on))
        drive(out, 2)
        out.demand(None)
        assert drive(out, 3)[0] is expected, (safe, on)
        assert out.value() == float(expected)


def test_hold_keeps_the_relay_state_and_not_the_demand():
    out = output(SWITCH, safe="hold", min_off_s=60)
    out.demand(1.0)
    assert drive(out, 1) == (False, "min_off_s")
    out.demand(None)
    assert drive(out, 100) == (False, None)


def test_hold_does_not_switch_on_again_what_max_on_s_turned_off():
    for lapse in (5, 15):
        out = output(SWITCH, safe="hold", max_on_s=10)
        out.demand(1.0)
        for second in range(30):
            if second == lapse:
                out.demand(None)
            drive(out, second)
        assert not out.on and out.holding() == 0
        after = output(SWITCH, safe="hold", max_on_s=10)  # a power cut
        after.hold(out.holding())
        assert drive(after, 1) == (False, None)


def test_limits_hold_in_the_safe_state():
    out = output(SWITCH, on=True, safe="on", max_on_s=10, min_off_s=5)
    assert drive(out, 9) == (True, None)
    assert drive(out, 10) == (False, "max_on_s")
    out.demand(None)  # entering safe state again is no new demand
    assert drive(out, 100) == (False, "max_on_s")
    out = output(SWITCH, min_on_s=30)
    out.demand(1.0)
    drive(out, 0)
    out.demand(None)
    assert drive(out, 29) == (True, "min_on_s")
    assert drive(out, 30) == (False, None)


def test_two_point_control():
    # The band is half a degree to either side of 20.
    for action, reading, on, expected in (
        ("heat", 19.4, False, True), ("heat", 19.5, False, True), ("heat", 19.6, False, False),
        ("heat", 19.6, True, True), ("heat", 20.0, False, False), ("heat", 20.0, True, True),
        ("heat", 20.4, True, True), ("heat", 20.5, True, False), ("heat", 30.0, True, False),
        ("cool", 20.6, False, True), ("cool", 20.5, False, True), ("cool", 20.4, False, False),
        ("cool", 20.4, True, True), ("cool", 19.6, True, True), ("cool", 19.5, True, False),
        ("cool", 10.0, True, False),
    ):  # fmt: skip
        out = output(HEATER, on=on, action=action)
        out.demand(20.0)
        assert drive(out, 1, reading)[0] is expected, (action, reading, on)


def test_a_regulator_without_a_reading_goes_off_unless_safe_is_on():
    for safe, expected in (("off", False), ("hold", False), (12.0, False), ("on", True)):
        for on in (False, True):
            out = output(HEATER, on=on, safe=safe)
            out.demand(20.0)
            assert drive(out, 1, reading=None)[0] is expected, (safe, on)
            out.demand(None)
            assert drive(out, 2, reading=None)[0] is expected, (safe, on)


def test_safe_states_of_a_regulator():
    for safe, before, cold, warm, reported in (
        ("off", 20.0, False, False, None),
        ("on", 20.0, True, True, None),
        ("hold", 20.0, True, False, 20.0),
        ("hold", None, False, False, None),
        (12.0, 20.0, True, False, 12.0),
        (12.0, None, True, False, 12.0),
    ):
        out = output(HEATER, safe=safe)
        if before is not None:
            out.demand(before)
            assert out.value() == before
        drive(out, 1, reading=20.0)
        out.demand(None)
        assert out.value() == reported, safe
        assert drive(out, 2, reading=5.0)[0] is cold, (safe, before)
        assert drive(out, 3, reading=30.0)[0] is warm, (safe, before)


def test_a_regulator_on_hold_without_a_setpoint_is_off():
    out = output(HEATER, on=True, safe="hold")
    assert drive(out, 1, reading=5.0)[0] is False


def test_a_regulator_on_hold_keeps_its_setpoint_over_repeated_safe_states():
    out = output(HEATER, safe="hold")
    out.demand(18.0)
    out.demand(None)
    out.demand(None)
    assert out.value() == 18.0
    out.demand(21.0)
    out.demand(None)
    assert out.value() == 21.0


def test_a_setpoint_of_zero_is_a_setpoint():
    out = output(HEATER, safe=0.0)
    assert out.value() == 0.0
    assert drive(out, 1, reading=-5.0)[0] is True
    out.demand(0.0)
    assert out.value() == 0.0 and drive(out, 2, reading=5.0)[0] is False


def test_a_manual_override_holds_until_the_next_demand():
    out = output(SWITCH)
    out.demand(1.0, True)
    assert out.manual_override and out.target == 1.0
    out.demand(0.0)
    assert not out.manual_override
    out.demand(1.0, True)
    out.demand(None)
    assert not out.manual_override and out.target is None


def test_switched_counts_from_a_change_only():
    out = output(SWITCH, max_on_s=10)
    out.demand(1.0)
    out.switched(True, at(0))
    out.switched(True, at(9))
    assert drive(out, 10) == (False, "max_on_s")


def test_a_relay_that_does_not_go_off_is_driven_off_repeatedly():
    out = output(SWITCH, max_on_s=10)
    out.demand(1.0)
    out.switched(True, at(0))
    for second in range(10, 20):
        assert out.level(None, at(second), False) is False  # and nobody tells that it was switched
        assert out.why == "max_on_s"


def test_a_held_value_is_restored_within_the_limits():
    out = output(SWITCH, safe="hold", min_off_s=60)
    out.hold(1.0)
    assert out.holding() == 1.0
    assert not out.level(None, at(59), False) and out.why == "min_off_s"
    assert out.level(None, at(60), False)
    out = output(SWITCH, safe="off")
    out.hold(1.0)
    assert out.holding() is None and not out.level(None, at(60), False)


def test_a_switch_on_its_way_off_does_not_hold_on():
    out = output(SWITCH, safe="hold", min_on_s=60)
    out.demand(1.0)
    out.switched(out.level(None, at(0), False), at(0))
    out.demand(0.0)
    assert out.level(None, at(30), False) and out.why == "min_on_s"
    out.demand(None)
    assert not out.level(None, at(60), False)
