"""What an output does by itself while it has no desired value: times of the week, the clock, the safe state."""

from firmware.core.output import Output
from firmware.core.schedule import Schedules, due
from firmware.core.zone import offset, parse
from tests_host.support.checking import errors

BERLIN = parse("CET-1CEST,M3.5.0,M10.5.0/3")
MONDAY = 1774224000  # 2026-03-23 00:00 UTC
HOUR = 3600
DAY = 24 * HOUR


def entry(days, hour, value, minute=0):
    return {"days": days, "hour": hour, "minute": minute, "value": value}


WEEK = [
    entry("daily", 22, 16.0),
    entry("weekdays", 6, 21.0, 30),
    entry("weekend", 8, 22.0),
    entry("we", 12, 19.0),
]


def at(day, hour, minute=0):
    """By the clock on the wall in winter, day 0 is the Monday before that."""
    return due(WEEK, BERLIN, MONDAY - 7 * DAY + day * DAY + hour * HOUR + minute * 60 - HOUR)


def test_the_entry_that_began_last_counts_all_week():
    for day, hour, minute, value in (
        (0, 0, 0, 16), (0, 6, 29, 16), (0, 6, 30, 21), (0, 21, 59, 21), (0, 22, 0, 16), (2, 11, 59, 21), (2, 12, 0, 19),
        (3, 6, 30, 21), (5, 6, 30, 16), (5, 8, 0, 22), (6, 7, 59, 16), (6, 8, 0, 22),
    ):  # fmt: skip
        assert at(day, hour, minute) == value, (day, hour, minute)


def test_one_entry_counts_until_it_comes_again():
    for hour in range(0, 168, 5):
        assert due([entry("fr", 12, 1.0)], BERLIN, MONDAY + hour * HOUR) == 1


def test_of_two_at_the_same_time_the_later_in_the_list_counts():
    both = [entry("daily", 6, 1.0), entry("sa", 6, 0.0)]
    assert due(both, BERLIN, MONDAY + 5 * DAY + 6 * HOUR) == 0
    assert due(both, BERLIN, MONDAY + 4 * DAY + 6 * HOUR) == 1


def test_the_change_of_time_moves_the_entries_with_the_wall():
    spring = MONDAY + 6 * DAY + HOUR  # 2026-03-29 02:00 becomes 03:00
    assert offset(BERLIN, spring - 1) == 3600 and offset(BERLIN, spring) == 7200
    gap = [entry("daily", 0, 1.0), entry("su", 2, 5.0, 30)]
    assert due(gap, BERLIN, spring - 1) == 1
    assert due(gap, BERLIN, spring) == 5, "a time that the gap swallows counts from its end"
    autumn = 1792890000  # 2026-10-25 03:00 becomes 02:00
    assert offset(BERLIN, autumn - 1) == 7200 and offset(BERLIN, autumn) == 3600
    assert due(gap, BERLIN, autumn - 1) == 5
    assert due(gap, BERLIN, autumn) == 1 and due(gap, BERLIN, autumn + 1800) == 5, "the hour comes twice"
    assert due(gap, BERLIN, autumn + DAY) == 1


def test_rules_that_are_none():
    for text in (
        "", "CET", "CE-1", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,J60,J300", "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,M3.5,M10.5.0", "Europe/Berlin", "<CET-1",
        "CET-1CEST,M3.5.0,M10.5.0/x", "CET-200", "CET-1:75",
    ):  # fmt: skip
        try:
            parse(text)
        except ValueError:
            continue
        raise AssertionError(text)


CFG = {
    "pin_port": "9", "name": "heater", "mode": "setpoint", "safe": 8.0, "min": 5.0, "max": 35.0, "min_on_s": 0,
    "max_on_s": 0, "min_off_s": 0, "interlock": None, "after_lapse": "resume", "hysteresis": 0.5, "action": "heat",
}  # fmt: skip


def planned(**changes):
    output = Output(dict(CFG, **changes), False, 0)
    lines = []
    return output, Schedules(BERLIN, [(output, WEEK)], lambda *line: lines.append(line)), lines


NOON = MONDAY + 12 * HOUR


def test_a_desired_value_wins_and_the_schedule_takes_the_place_of_the_safe_state():
    output, schedules, _ = planned()
    schedules.apply(NOON, ())
    assert output.goal() == 21
    output.demand(18.0)
    schedules.apply(NOON + 12 * HOUR, ())
    assert output.goal() == 18
    output.demand(None)
    assert output.goal() == 16


def test_without_a_clock_or_with_a_loop_that_fails_the_safe_state_counts():
    output, schedules, lines = planned()
    for _ in range(5):
        schedules.apply(None, ())
        assert output.goal() == 8
    schedules.apply(None, {"sampling"})
    assert len(lines) == 1 and lines[0][0] == "warning"
    schedules.apply(NOON, ())
    assert output.goal() == 21
    schedules.apply(NOON, {"sampling"})
    assert output.goal() == 8
    schedules.apply(NOON, ())
    assert output.goal() == 21


def test_it_looks_again_with_each_minute_and_when_the_clock_is_set():
    output, schedules, _ = planned()
    schedules.apply(NOON, ())
    for unix_s, looks in ((NOON + 59, False), (NOON + 60, True), (NOON, True), (NOON + 9 * HOUR, True)):
        output.fallback = None
        schedules.apply(unix_s, ())
        assert (output.fallback is not None) is looks, unix_s


def test_a_switch_follows_too():
    output, schedules, _ = planned(mode="switch", safe="on")
    schedules.plans = [(output, [entry("daily", 6, 1.0), entry("daily", 20, 0.0)], output.fallback)]
    assert output.should_be_on(None)
    schedules.apply(NOON + 10 * HOUR, ())
    assert not output.should_be_on(None)
    schedules.apply(NOON, ())
    assert output.should_be_on(None)
    schedules.apply(None, ())
    assert output.should_be_on(None)


def wrong(zone="CET-1CEST,M3.5.0,M10.5.0/3", value=1, **keys):
    item = {"pin_port": "6", "gpio": 16, "schedule": [{"days": "mo", "hour": 6, "value": value}]}
    return errors(outputs=[dict(item, **keys)], time={"zone": zone})


def test_the_configuration():
    assert wrong() == [] and wrong(schedule=None, zone=None) == []
    assert wrong(zone=None) == ["time"]
    assert wrong(zone="Europe/Berlin") == ["time.zone"]
    assert wrong(value=0.5) == ["outputs[0].schedule"] and wrong(value=2) == ["outputs[0].schedule"]
    assert wrong(safe="hold") == ["outputs[0].schedule"]
    assert wrong(mode="pwm", value=60) == [] and wrong(mode="pwm", max=50, value=60) == [
        "outputs[0].schedule"
    ]
    assert wrong(mode="pulse", pulse_ms=500) == ["outputs[0].schedule"]
    assert wrong(schedule=[{"days": "mon", "hour": 6, "value": 1}]) == ["outputs[0].schedule[0].days"]
    assert wrong(schedule=[{"days": "mo", "hour": 24, "value": 1}]) == ["outputs[0].schedule[0].hour"]
    assert wrong(schedule=[{"days": "mo", "hour": 6, "valu": 1}])[:1] == ["outputs[0].schedule[0].value"]
