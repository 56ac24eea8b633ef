"""Timers across the wrap of the counter, waits out of random bits, and the rate limiter of requests."""

from firmware.core.rate_limit import RateLimiter
from firmware.core.timing import Backoff, Timer, diff

WRAP = 0x40000000
START = WRAP - 1000  # one second before the counter wraps
HOUR_MS = 3600000
FIVE_DAYS_MS = 432000000
ALL_BITS = 0xFFFFFFFF


def at(ms):
    """The counter `ms` after START."""
    return (START + ms) % WRAP


def test_differences_across_the_wrap():
    for later, earlier, ms in (
        (0, 0, 0),
        (5, 3, 2),
        (3, 5, -2),
        (0, WRAP - 1, 1),
        (WRAP - 1, 0, -1),
        (499, WRAP - 501, 1000),
        (WRAP // 2 - 1, 0, WRAP // 2 - 1),
        (WRAP // 2, 0, -WRAP // 2),
        (FIVE_DAYS_MS - 1000, START, FIVE_DAYS_MS),
    ):
        assert diff(later, earlier) == ms


def test_a_timer_counts_up_and_its_moment_comes_down():
    timer = Timer(START, 1500)
    for ms, left, passed in (
        (0, 1500, False), (999, 501, False), (1000, 500, False), (1499, 1, False), (1500, 0, True),
        (1501, 0, True), (HOUR_MS, 0, True),
    ):  # fmt: skip
        assert timer.ms(at(ms)) == ms
        assert timer.left_ms(at(ms)) == left
        assert timer.passed(at(ms)) is passed


def test_without_a_moment_it_has_passed_at_once():
    assert Timer(START).passed(START)
    assert Timer(START, -5).passed(START)


def test_a_timer_with_a_future_start_has_elapsed_zero():
    timer = Timer(at(50), 100)
    assert timer.ms(START) == 0 and timer.left_ms(START) == 100


def test_assigning_the_start_begins_anew():
    timer = Timer(START, 100)
    assert timer.passed(at(100))
    timer.start = at(2000)
    assert timer.left_ms(at(2050)) == 50


def test_five_days_are_the_most_and_stay_the_most():
    timer = Timer(START, FIVE_DAYS_MS)
    for hour in range(24 * 40):
        expected = min(hour * HOUR_MS, FIVE_DAYS_MS)
        assert timer.ms(at(hour * HOUR_MS)) == expected
        assert timer.passed(at(hour * HOUR_MS)) is (expected == FIVE_DAYS_MS)


def test_a_timer_that_was_not_read_for_eleven_days_has_passed():
    for hour in (1, 24 * 5, 24 * 6, 24 * 7, 24 * 11):
        timer = Timer(START, 300000)
        assert timer.ms(at(hour * HOUR_MS)) == min(hour * HOUR_MS, FIVE_DAYS_MS)
        assert timer.passed(at(hour * HOUR_MS)) and timer.passed(at(hour * HOUR_MS + 5000))


def test_a_moment_further_away_than_five_days_comes_after_five():
    timer = Timer(START, 2 * FIVE_DAYS_MS)
    assert timer.left_ms(START) == FIVE_DAYS_MS
    assert timer.passed(at(FIVE_DAYS_MS))


def test_a_passed_timer_stays_passed_for_weeks():
    timer = Timer(START, 1)
    for hour in range(1, 24 * 40, 20):
        assert timer.passed(at(hour * HOUR_MS))


def test_the_window_of_a_backoff_doubles_stays_and_doubles_again_up_to_its_cap():
    backoff = Backoff(2000, 300000)
    longest = [backoff.next_ms(ALL_BITS) for _ in range(33)]
    assert longest == [2000, 4000, 8000, 16000] + [32000] * 24 + [64000, 128000, 256000, 300000, 300000]
    assert backoff.failures == 33
    backoff.reset()
    assert backoff.failures == 0 and backoff.next_ms(ALL_BITS) == 2000


def test_a_cap_holds_from_the_beginning():
    backoff = Backoff(5000, 12000)
    assert [backoff.next_ms(ALL_BITS) for _ in range(40)] == [5000, 10000] + [12000] * 38


def test_jitter_takes_from_the_last_quarter_of_the_window():
    for bits, wait in (
        (0, 12000),  # exactly the least
        (0xFF, 12000),  # the lowest byte does not count
        (0x7FFFFFFF, 13999),
        (0x80000000, 14000),
        (0xC0000000, 15000),
        (ALL_BITS, 16000),
    ):
        backoff = Backoff(16000, 60000)
        got = backoff.next_ms(bits)
        assert abs(got - wait) <= (bits > 0xFF), (bits, got)


def test_no_wait_is_much_longer_than_the_outage_so_far():
    for luck in (0, 0x80000000, ALL_BITS):
        for least, worst in ((0, ALL_BITS), (luck, luck)):
            backoff, other = Backoff(2000, 300000), Backoff(2000, 300000)
            down_ms = 0
            for _ in range(40):
                wait = backoff.next_ms(worst)
                assert wait <= 2 * down_ms + 2000
                assert wait <= 32000 or down_ms > 590000
                down_ms += other.next_ms(least)


def test_a_backoff_never_waits_less_than_its_least():
    for bits in (0, ALL_BITS):
        assert Backoff(500, 60000, 3000).next_ms(bits) == 3000


def test_a_thousand_failures_do_not_overflow():
    backoff = Backoff(5000, 300000)
    for _ in range(1000):
        assert 1000 <= backoff.next_ms(ALL_BITS) <= 300000
    assert backoff.next_ms(ALL_BITS) == 300000


class Line:
    """A connection that polls and reports whenever the rate limiter allows it, in steps of 50 ms."""

    def __init__(self, poll_ms, round_trip_ms, reports=True):
        self.limiter = RateLimiter(poll_ms, START)
        self.round_trip_ms = round_trip_ms
        self.reports = reports
        self.now = 0
        self.sent = []  # (start, end, is_poll)

    def run(self, ms):
        end = self.now + ms
        while self.now < end:
            if self.reports and not self.limiter.report_wait_ms(at(self.now)):
                self.send(False)
            elif not self.limiter.poll_wait_ms(at(self.now)):
                self.send(True)
            else:
                self.now += 50

    def send(self, is_poll):
        start = self.now
        self.limiter.started(at(start), is_poll)
        self.now += self.round_trip_ms
        self.limiter.finished(at(self.now))
        self.sent.append((start, self.now, is_poll))

    def starts(self, is_poll):
        return [start for start, _, poll in self.sent if poll is is_poll]

    def gaps(self):
        """From the end of each request to the start of the next one."""
        return [self.sent[i][0] - self.sent[i - 1][1] for i in range(1, len(self.sent))]


def intervals(starts):
    return [starts[i] - starts[i - 1] for i in range(1, len(starts))]


def test_the_first_request_may_leave_at_once():
    limiter = RateLimiter(10000, START)
    assert limiter.wait_ms(START) == limiter.poll_wait_ms(START) == 0


def test_the_gap_is_half_the_interval_and_at_most_five_seconds():
    for poll_ms, gap_ms in ((2000, 1000), (9000, 4500), (10000, 5000), (60000, 5000)):
        assert RateLimiter(poll_ms, START).gap_ms() == gap_ms


def test_the_gap_begins_at_the_start_and_again_at_the_end():
    limiter = RateLimiter(10000, START)
    limiter.started(START, False)
    assert limiter.wait_ms(at(0)) == 5000
    assert limiter.wait_ms(at(2000)) == 3000
    limiter.finished(at(2000))
    assert limiter.wait_ms(at(2000)) == 5000
    assert limiter.wait_ms(at(6999)) == 1 and limiter.wait_ms(at(7000)) == 0


def test_polls_leave_on_their_grid():
    line = Line(10000, 200, reports=False)
    line.run(3600000)
    starts = line.starts(True)
    assert len(starts) == 360
    assert set(intervals(starts)) == {10000}


def test_reports_go_between_the_polls_without_pushing_them():
    for round_trip_ms in (50, 300, 1000, 2000):
        line = Line(10000, round_trip_ms)
        line.run(3600000)
        polls = line.starts(True)
        late = [ms - 10000 for ms in intervals(polls)]
        assert min(late) >= 0 and max(late) <= 2 * round_trip_ms + 200, (round_trip_ms, max(late))
        assert len(line.starts(False)) >= len(polls) - 1, round_trip_ms
        assert min(line.gaps()) >= 5000


def test_a_report_without_a_slot_gets_the_next_one():
    # Round trips longer than the gap leave no room between two polls: every other poll has to wait for a report.
    for round_trip_ms in (4000, 6000, 9000, 15000):
        line = Line(10000, round_trip_ms)
        line.run(3600000)
        polls, reports = len(line.starts(True)), len(line.starts(False))
        assert reports >= polls // 2 - 1, (round_trip_ms, polls, reports)
        assert polls >= reports - 1, (round_trip_ms, polls, reports)
        assert min(line.gaps()) >= 5000


def test_the_first_report_lets_the_first_poll_go():
    limiter = RateLimiter(10000, START)
    assert limiter.report_wait_ms(START) == 5000


def test_how_far_a_report_may_push_a_poll():
    # By its own round trip and 150 ms, but not by more than half a gap: (round trip, last moment for it to leave).
    for round_trip_ms, last in ((0, 5150), (200, 5350), (2000, 7150), (2350, 7500), (2499, 7500)):
        limiter = RateLimiter(10000, START)
        limiter.started(at(0), True)
        limiter.finished(at(round_trip_ms))
        assert limiter.report_wait_ms(at(round_trip_ms)) == 5000, round_trip_ms
        assert limiter.report_wait_ms(at(last)) == 0, round_trip_ms
        assert limiter.report_wait_ms(at(last + 1)) == 10000 - (last + 1) + 5000, round_trip_ms
    limiter = RateLimiter(10000, START)
    limiter.started(at(0), True)
    limiter.finished(at(2501))
    assert limiter.report_wait_ms(at(2501)) == 7499 + 5000


def test_a_reserved_slot_is_used_once():
    limiter = RateLimiter(10000, START)

    def after(second):
        """How long a report waits behind a request that almost filled the gap."""
        return limiter.report_wait_ms(at(second * 1000 + 4900))

    def request(second, is_poll):
        limiter.started(at(second * 1000), is_poll)
        limiter.finished(at(second * 1000 + 4900))

    request(0, True)
    assert after(0) > 5000, "in vain"
    request(10, True)
    assert after(10) == 5000, "owed"
    request(20, False)
    request(30, True)
    assert after(30) > 5000, "it had its turn"
    request(40, False)
    assert after(40) > 5000, "only a poll that went first owes a turn"


def test_no_slot_is_reserved_without_a_waiting_report():
    limiter = RateLimiter(10000, START)
    limiter.started(at(0), True)
    limiter.finished(at(4900))
    limiter.started(at(10000), True)
    limiter.finished(at(14900))
    assert limiter.report_wait_ms(at(19900)) > 0, "a poll is due in 100 ms"
    limiter.started(at(20000), True)
    limiter.finished(at(24900))
    assert limiter.report_wait_ms(at(24900)) == 5000, "now it has its turn"


def test_429_doubles_the_interval_up_to_sixteen_times():
    limiter = RateLimiter(10000, START)
    for gap_ms in (10000, 20000, 40000, 80000, 80000):
        limiter.started(START, False)
        limiter.finished(START)
        limiter.slow_down(START, 0)
        assert limiter.gap_ms() == gap_ms
        assert limiter.wait_ms(START) == gap_ms
        assert limiter.poll_wait_ms(START) == 2 * gap_ms
        limiter.started(at(gap_ms), True)
        assert limiter.poll_wait_ms(at(gap_ms)) == 2 * gap_ms


def test_retry_after_is_honoured_up_to_an_hour():
    for seconds, wait_ms in ((0, 10000), (9, 10000), (40, 40000), (3600, 3600000), (999999, 3600000)):
        limiter = RateLimiter(10000, START)
        limiter.slow_down(START, seconds)
        assert limiter.wait_ms(START) == wait_ms
        assert not limiter.wait_ms(at(wait_ms))
        assert limiter.report_wait_ms(START) >= wait_ms


def _calm(limiter, start_s, until_s):
    """Send a request a second; yield the moments, in s from the first, at which the gap became shorter."""
    for second in range(start_s, until_s):
        gap_ms = limiter.gap_ms()
        limiter.started(at(second * 1000), False)
        limiter.finished(at(second * 1000))
        if limiter.gap_ms() < gap_ms:
            yield second - start_s


def test_four_gaps_without_a_429_halve_a_stretched_gap():
    limiter = RateLimiter(10000, START)
    for _ in range(4):
        limiter.slow_down(START, 0)
    assert not list(_calm(limiter, 1, 60))
    # Another 429 begins the count again, and a fifth one does not stretch the gap further.
    limiter.slow_down(at(60000), 0)
    assert list(_calm(limiter, 60, 1000)) == [320, 480, 560, 600]


def test_a_gap_that_was_halved_too_early_is_halved_later_and_later_up_to_ten_minutes():
    limiter = RateLimiter(10000, START)
    now_s = 0
    waits = []
    for _ in range(7):
        limiter.slow_down(at(now_s * 1000), 0)
        assert limiter.gap_ms() == 10000
        wait_s = next(_calm(limiter, now_s, now_s + 601))
        waits.append(wait_s)
        now_s += wait_s
    assert waits == [40, 80, 160, 320, 600, 600, 600]
    # A gap that lasted is forgotten, and so are those attempts.
    list(_calm(limiter, now_s, now_s + 601))
    now_s += 601
    limiter.slow_down(at(now_s * 1000), 0)
    assert list(_calm(limiter, now_s, now_s + 99)) == [40]


def _grown(limiter):
    """How many requests have to go well until `most` is what it was."""
    for count in range(1000):
        if limiter.most == 20:
            return count
        limiter.batch(1, 1)


def test_full_batches_come_back_after_a_few_good_answers_whatever_429_says():
    for most in (1, 3, 10):
        limiter = RateLimiter(10000, START)
        limiter.batch(20, most)
        assert limiter.most == most
        limiter.slow_down(START, 600)
        assert _grown(limiter) == 3


def test_a_server_without_batches_is_tried_with_one_more_and_more_rarely():
    limiter = RateLimiter(10000, START)
    seen = []
    for _ in range(8):
        limiter.batch(2, 1)
        seen.append(_grown(limiter))
        limiter.batch(1, 1)
    assert seen == [3, 6, 12, 24, 48, 48, 48, 48]
    for _ in range(2):
        limiter.batch(2, 2)
        limiter.batch(2, 1)
        assert _grown(limiter) == 3


def test_repeated_429_do_not_stop_a_slow_poller():
    """Found by the simulation: a minute between polls became sixteen, for hours."""
    for poll_ms, poll_gap_ms in ((2000, 32000), (10000, 160000), (60000, 160000), (3600000, 3600000)):
        line = Line(poll_ms, 200)
        for _ in range(9):
            line.limiter.slow_down(START, 0)
        assert line.limiter.poll_gap_ms() == poll_gap_ms
        if poll_ms < 600000:
            line.run(6 * poll_gap_ms)
            assert line.limiter.poll_gap_ms() == poll_ms


def test_a_plan_keeps_requests_apart_and_leaves_room_for_reports():
    for plan_ms, gap_ms, poll_gap_ms in (
        (0, 5000, 10000),
        (4000, 5000, 10000),
        (5000, 5000, 10000),
        (8000, 8000, 16000),
    ):
        line = Line(10000, 200)
        line.limiter.obey(START, plan_ms)
        assert line.limiter.wait_ms(START) == gap_ms
        line.run(600000)
        assert line.limiter.gap_ms() == gap_ms and line.limiter.poll_gap_ms() == poll_gap_ms
        assert min(line.gaps()) >= gap_ms
        assert len(line.starts(True)) > 500000 // poll_gap_ms and len(line.starts(False)) > 10
    line.limiter.slow_down(START, 0)
    assert (line.limiter.gap_ms(), line.limiter.poll_gap_ms()) == (16000, 32000)


def test_a_later_limiter_keeps_the_limits_of_the_server():
    earlier = RateLimiter(10000, START)
    earlier.obey(START, 20000)
    earlier.slow_down(START, 90)
    earlier.batch(20, 5)
    later = RateLimiter(10000, at(1000), earlier.state())
    assert later.wait_ms(at(1000)) == later.poll_wait_ms(at(1000)) == 89000
    assert (later.gap_ms(), later.most) == (40000, 5)
    # The time without a 429 counts from the one that the earlier limiter met.
    later.started(at(160000), False)
    later.finished(at(160000))
    assert (later.stretch, later.most) == (1, 5)
    later.slow_down(at(160000), 0)
    later = RateLimiter(10000, at(160000), later.state())
    assert list(_calm(later, 160, 900)) == [320]
    for limiter in (earlier, later):
        assert _grown(limiter) == 3


def test_a_later_limiter_polls_at_once_and_reserves_no_report():
    earlier = RateLimiter(10000, START)
    earlier.started(START, True)
    earlier.finished(at(200))
    later = RateLimiter(10000, at(300), earlier.state())
    assert later.poll_wait_ms(at(300)) == 4900
    assert not later.owed and not later.asked
