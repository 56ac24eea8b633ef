"""Identities, order and bounds of what waits for the cloud; and when a value becomes an event."""

from firmware.core.command import CommandState
from firmware.core.models import EPOCH, Command, Desired, Sensor
from firmware.core.outbox import Outbox, Reporter

WRAP = 0x40000000
START = WRAP - 1000
UTC = 1777025700
AT = UTC - EPOCH
CAPACITY = 48
ROW = Sensor(7, "thermistor", "14", None)


def at(seconds):
    return (START + int(seconds * 1000)) % WRAP


def box(utc=UTC):
    outbox = Outbox(3, 0xBEEF, START)
    outbox.update(START, utc)
    return outbox


def post(outbox, *event, **more):
    return outbox.complete(outbox.post(*event, **more))


def ids(reports):
    return [r.message_id for r in reports]


def values(outbox):
    return [r.value for r in outbox.batch(CAPACITY)]


def test_an_event_is_written_down_whole():
    outbox = box()
    report = post(outbox, "sensor", 7, 21.5)
    assert report[1:] == ("sensor", 7, "21.5", AT, START, None, None, None)
    answer = post(outbox, "command", "cmd_1", 1.0, Desired("cmd_1", "1", "des_9", 42, 30), "applied")
    assert answer[1:] == ("command", "cmd_1", "1.0", AT, START, "des_9", "applied", 42)
    assert outbox.batch(9) == [answer, report]


def test_identities_never_repeat():
    seen = set()
    for boot in (1, 2, 17):
        for bits in (0, 1, 0xFFFFFFFF):
            outbox = Outbox(boot, bits, START)
            for _ in range(40):
                seen.add(post(outbox, "sensor", 7, 1.0).message_id)
    assert len(seen) == 3 * 3 * 40
    for message_id in seen:
        assert len(message_id) <= 64
        for char in message_id:
            assert char in "0123456789abcdefghijklmnopqrstuvwxyz-"


def test_commands_go_first_and_each_kind_in_its_order():
    outbox = box()
    order = [
        post(outbox, kind, i, float(i)) for i, kind in enumerate(("sensor", "command", "sensor", "command"))
    ]
    assert outbox.batch(9) == [order[1], order[3], order[0], order[2]]
    assert outbox.batch(3) == [order[1], order[3], order[0]]
    assert outbox.batch(0) == [] and len(outbox) == 4


def test_only_acknowledged_events_leave():
    outbox = box()
    a, b, c = [post(outbox, "sensor", 7, float(i)) for i in range(3)]
    outbox.acknowledge(b.message_id)
    outbox.acknowledge(b.message_id)
    outbox.acknowledge("unknown")
    assert outbox.batch(9) == [a, c] and len(outbox) == 2
    assert outbox.dropped == 0


def test_a_full_box_drops_its_oldest_reading_first():
    outbox = box()
    first = post(outbox, "command", 1, 0.0)
    readings = [post(outbox, "sensor", 7, float(i)) for i in range(CAPACITY - 1)]
    assert outbox.dropped == 0 and len(outbox) == CAPACITY
    outbox.post("sensor", 7, 99.0)
    outbox.post("command", 1, 1.0)
    assert outbox.dropped == 2 and len(outbox) == CAPACITY
    left = ids(outbox.batch(CAPACITY))
    assert first.message_id in left
    assert readings[0].message_id not in left and readings[1].message_id not in left
    assert readings[2].message_id in left


def test_a_box_full_of_commands_drops_the_oldest_of_them():
    outbox = box()
    for i in range(CAPACITY + 3):
        outbox.post("command", 1, float(i))
    assert outbox.dropped == 3
    assert values(outbox) == ["%d.0" % i for i in range(3, CAPACITY + 3)]
    outbox.post("sensor", 7, 5.0)
    assert outbox.dropped == 4 and values(outbox)[-1] == "5.0"


def test_a_report_is_repeated_under_its_own_identity_and_never_twice_at_once():
    outbox = box()
    report = outbox.post("command", 1, 1.0, Desired(1, "1", "des_1", None, None), "applied")
    outbox.append(report)
    assert len(outbox) == 1
    outbox.acknowledge(outbox.identity(report.message_id))
    assert len(outbox) == 0
    outbox.append(report)
    outbox.append(report)
    assert outbox.batch(9) == [outbox.complete(report)]


def test_a_repeated_report_makes_room_like_any_other():
    outbox = box()
    answer = post(outbox, "command", 1, 1.0)
    outbox.acknowledge(answer.message_id)
    for i in range(CAPACITY):
        outbox.post("sensor", 7, float(i))
    outbox.append(answer)
    assert len(outbox) == CAPACITY and outbox.dropped == 1
    assert values(outbox)[:2] == ["1.0", "1.0"], "the answer, then the second reading"


def test_events_wait_for_the_clock_and_get_the_time_at_which_they_happened():
    outbox = box(None)
    outbox.post("sensor", 7, 1.0)
    outbox.update(at(90.9), None)
    outbox.post("command", 1, 2.0)
    assert outbox.batch(9) == [] and len(outbox) == 2
    outbox.update(at(86400), UTC)
    late = post(outbox, "sensor", 7, 3.0)
    times = [AT - 86309, AT - 86400, AT]
    assert [(r.value, r.at) for r in outbox.batch(9)] == list(zip(("2.0", "1.0", "3.0"), times))
    outbox.update(at(86500), UTC + 5000)
    assert [r.at for r in outbox.batch(9)] == times, "once and for all"
    assert late.at == AT


def test_stamping_keeps_identity_and_answer():
    outbox = box(None)
    report = post(outbox, "command", 1, 1.0, Desired(1, "1", "des_1", 5, None), "stale")
    outbox.update(at(10), UTC)
    (stamped,) = outbox.batch(9)
    assert stamped.at == AT - 10
    assert stamped[:4] == report[:4] and stamped[5:] == report[5:]


def test_a_report_that_comes_back_without_a_time_is_stamped_too():
    outbox = box(None)
    report = post(outbox, "command", 1, 1.0)
    outbox.acknowledge(report.message_id)
    outbox.update(at(10), UTC)
    outbox.append(report)
    outbox.update(at(20), UTC + 10)
    assert [r.at for r in outbox.batch(9)] == [AT - 10]


def source(deadband=0.5, heartbeat_s=300):
    outbox = box()
    found = Reporter(outbox, deadband, heartbeat_s)
    found.bind_row(ROW)
    return found, outbox


def reported(found, outbox, seconds, value, deliver=True):
    """Whether `value` was reported at `seconds`."""
    before = outbox.count
    outbox.update(at(seconds), UTC)
    found.report(value)
    if deliver:
        outbox.reports = []
    return outbox.count != before


def test_the_first_value_is_reported_and_then_changes_beyond_the_deadband():
    found, outbox = source()
    for second, value, expected in (
        (0, 20.0, True), (1, 20.0, False), (2, 20.4375, False), (3, 20.5, True), (4, 20.0, True),
        (5, 19.5625, False), (6, 19.5, True), (7, 0.0, True),
    ):  # fmt: skip
        assert reported(found, outbox, second, value) is expected, second


def test_without_a_deadband_every_change_counts():
    found, outbox = source(deadband=0)
    for second, value, expected in ((0, 0.0, True), (1, 0.0, False), (2, 0.125, True), (3, 0.0, True)):
        assert reported(found, outbox, second, value) is expected, second


def test_a_first_value_of_zero_is_reported():
    found, outbox = source(deadband=5)
    assert reported(found, outbox, 0, 0.0)


def test_an_unknown_value_is_not_reported():
    found, outbox = source()
    assert not reported(found, outbox, 0, None)
    assert reported(found, outbox, 1, 20.0)
    assert not reported(found, outbox, 1000, None)
    assert reported(found, outbox, 1001, 20.0), "the heartbeat was due"


def test_a_heartbeat_is_reported_without_a_change():
    found, outbox = source()
    heartbeats = [second for second in range(1000) if reported(found, outbox, second, 20.0)]
    assert heartbeats == [0, 300, 600, 900]


def test_a_change_begins_the_heartbeat_anew():
    found, outbox = source()
    assert reported(found, outbox, 0, 20.0) and reported(found, outbox, 200, 30.0)
    assert not reported(found, outbox, 499, 30.0) and reported(found, outbox, 500, 30.0)


def test_a_heartbeat_follows_an_outage_of_any_length():
    for days in range(1, 30):
        found, outbox = source()
        assert reported(found, outbox, 0, 20.0, deliver=False)
        for hour in range(1, 24 * days):
            assert not reported(found, outbox, hour * 3600, 20.0, deliver=False)
        outbox.reports = []
        assert reported(found, outbox, days * 86400, 20.0), days


def test_an_event_has_its_own_time_although_the_clock_is_set_days_later():
    for days in range(1, 13):
        outbox = box(None)
        post(outbox, "command", 1, 1.0)
        outbox.update(at(days * 86400), UTC)
        assert outbox.batch(1)[0].at == AT - days * 86400


def test_a_heartbeat_does_not_queue_behind_other_reports():
    found, outbox = source()
    assert reported(found, outbox, 0, 20.0, deliver=False)
    for second in range(300, 90000, 300):
        assert not reported(found, outbox, second, 20.0, deliver=False)
    assert len(outbox) == 1
    assert reported(found, outbox, 90001, 21.0, deliver=False), "a change does"


def test_a_value_without_a_row_is_not_reported():
    outbox = box()
    found = Reporter(outbox, 0.5, 300, keep=True)
    assert not reported(found, outbox, 0, 20.0)
    found.bind_row(ROW)
    assert reported(found, outbox, 1, 20.0)
    found.bind_row(None)
    assert not reported(found, outbox, 1000, 40.0)


def test_a_new_row_gets_the_value_again_and_the_same_row_does_not():
    found, outbox = source()
    assert reported(found, outbox, 0, 20.0)
    found.bind_row(Sensor(7, "thermistor", "14", None))
    assert not reported(found, outbox, 1, 20.0)
    found.bind_row(Sensor(8, "thermistor", "14", None))
    assert reported(found, outbox, 2, 20.0)
    found.bind_row(None)
    found.bind_row(Sensor(8, "thermistor", "14", None))
    assert reported(found, outbox, 3, 20.0)


def test_report_now_uses_the_present_catalog_row():
    outbox = box()
    found = CommandState(outbox, None)
    found.bind_row(Command("cmd_1", "relay", "6", None, None, None, None))
    found.report_now(1.0, Desired("cmd_1", "1", "des_1", 4, None), "applied")
    found.bind_row(Command("cmd_2", "relay", "6", None, None, None, None))
    found.report(0.0)
    assert [(r.source, r.id, r.value, r.desired_id) for r in outbox.batch(9)] == [
        ("command", "cmd_1", "1.0", "des_1"),
        ("command", "cmd_2", "0.0", None),
    ]


def test_kept_readings_are_dropped_after_others_and_acknowledgements_last():
    outbox = box()
    answer = post(outbox, "command", 1, 1.0, Desired(1, "1", "des_1", 1, None), "applied", True)
    local = post(outbox, "command", 1, 0.0, keep=True)
    kept = post(outbox, "sensor", 7, 1.0, keep=True)
    plain = post(outbox, "sensor", 8, 2.0)
    for left in ([answer, local, kept], [answer, local], [answer], []):
        while len(outbox) < CAPACITY:
            outbox.post("command", 2, 5.0, Desired(2, "5", "des_2", 1, None), "applied", True)
        outbox.post("command", 2, 5.0, Desired(2, "5", "des_2", 1, None), "applied", True)
        assert [r for r in outbox.batch(CAPACITY) if r in (answer, local, kept, plain)] == left
    assert outbox.dropped == 4
    assert len(outbox.kept) == len(outbox)


def test_events_that_must_survive_are_written_before_they_leave():
    outbox = box()
    order = []
    outbox.keep = lambda: order.append(len(outbox))
    outbox.post("command", 1, 1.0, keep=True)
    assert order == [] and len(outbox.batch(9)) == 1 and order == [1]


def test_after_an_outage_the_oldest_goes_first_and_nothing_is_reported_twice():
    outbox = box()
    pump = CommandState(outbox, None)
    pump.bind_row(ROW)
    for i in range(25):
        outbox.update(at(i), UTC + i)
        pump.report(float(i))
    for first, most in ((0, 20), (0, 1), (1, 1), (2, 20), (22, 20)):
        sent = outbox.batch(most)
        assert [r.value for r in sent] == ["%d.0" % i for i in range(first, min(first + most, 25))]
        for report in sent if first or most == 1 else ():
            outbox.acknowledge(report.message_id)
    pump.report(24.0)
    assert values(outbox) == []


def test_a_report_from_before_the_start_is_there_once_in_its_latest_form():
    outbox = box()
    other = Outbox(2, 1, START)
    early = other.post("command", 1, 1.0)
    other.update(at(5), UTC)
    (late,) = other.reports
    outbox.restore(early)
    outbox.restore(late)
    assert outbox.reports == [late] and outbox.kept == {late.message_id: late.at}


def test_more_reports_from_before_the_start_than_there_is_room_for():
    outbox = box()
    other = Outbox(2, 1, START)
    other.update(START, UTC)
    old = [other.post("command", 1, float(i)) for i in range(CAPACITY)]
    old += [other.post("command", 1, float(i)) for i in range(CAPACITY)]
    for report in old:
        outbox.restore(report)
    assert outbox.reports == old[-CAPACITY:] and outbox.dropped == CAPACITY
    # The journal will get all that left, so that they do not come back once more.
    assert sorted(outbox.kept) == sorted(ids(old))
