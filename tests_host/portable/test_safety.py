"""The lease by the monotonic clock, and every reason for safe state coming and going."""

from firmware.core.safety import Lease, Safety

WRAP = 0x40000000
START = WRAP - 1000
DAY_S = 86400


def at(seconds):
    """The counter `seconds` after START; it wraps after the first."""
    return (START + seconds * 1000) % WRAP


def held(expires_s=3600, renew_s=0):
    lease = Lease(START)
    lease.grant(START, expires_s, renew_s)
    lease.confirm()
    return lease


def test_at_first_there_is_no_lease():
    lease = Lease(START)
    assert not lease.valid(START) and not lease.held
    assert lease.reason == "not authorized yet"
    assert lease.token.passed(START) and lease.renewal.passed(START)


def test_a_token_without_an_accepted_request_is_no_lease():
    lease = Lease(START)
    lease.grant(START, 3600, 0)
    assert not lease.valid(at(1))
    assert not lease.token.passed(at(1))
    lease.confirm()
    assert lease.valid(at(1))


def test_a_renewal_is_due_up_to_an_eighth_sooner():
    for bits, renewal_s in ((0, 2700), (0xFFFFF, 2700), (0x80000000, 2532), (0xFFFFFFFF, 2363)):
        lease = Lease(START)
        lease.grant(START, 3600, 2700, bits)
        assert not lease.renewal.passed(at(renewal_s - 1))
        assert lease.renewal.passed(at(renewal_s))
        assert not lease.token.passed(at(3599))


def test_it_counts_from_the_moment_the_token_was_asked_for():
    lease = Lease(START)
    lease.grant(at(0), 60, 45)  # asked for at 0, here after 20 seconds
    lease.confirm()
    assert lease.valid(at(59))
    assert not lease.renewal.passed(at(44)) and lease.renewal.passed(at(45))
    assert not lease.valid(at(60))


def test_renewal_is_due_at_the_hint_or_three_quarters():
    for expires_s, hint_s, due_s in (
        (3600, 2700, 2700), (3600, 1, 1), (3600, 0, 2700), (3600, -5, 2700), (3600, 3600, 2700),
        (3600, 9999, 2700), (100, 0, 75), (1, 0, 0),
    ):  # fmt: skip
        lease = held(expires_s, hint_s)
        if due_s:
            assert not lease.renewal.passed(at(due_s - 1)), (expires_s, hint_s)
        assert lease.renewal.passed(at(due_s)), (expires_s, hint_s)


def test_an_expired_lease_needs_a_new_grant_and_confirmation():
    lease = held(60)
    for second in range(60):
        assert lease.valid(at(second))
    for day in range(1, 40):
        assert not lease.valid(at(day * DAY_S))
    assert lease.reason == "authorization expired"
    lease.grant(at(40 * DAY_S), 60, 0)
    assert not lease.valid(at(40 * DAY_S)) and lease.reason == "authorization expired"
    lease.confirm()
    assert lease.valid(at(40 * DAY_S + 59))


def test_a_renewal_goes_on_without_a_gap():
    lease = held(3600)
    lease.grant(at(2700), 3600, 0)
    assert lease.valid(at(2701)) and lease.valid(at(6299))
    assert not lease.valid(at(6300))


def test_a_lease_longer_than_five_days_ends_after_five():
    lease = held(365 * DAY_S)
    for hour in range(5 * 24):
        assert lease.valid(at(hour * 3600))
    assert not lease.valid(at(5 * DAY_S))


def test_the_cloud_can_end_it_at_any_time():
    lease = held()
    lease.end("subscription inactive")
    assert not lease.valid(at(1)) and not lease.held
    assert lease.reason == "subscription inactive"
    # The first accepted request under the token that is still there brings it back.
    lease.confirm()
    assert lease.valid(at(2))


def test_an_expired_token_cannot_be_confirmed_back():
    lease = held(60)
    assert not lease.valid(at(61))
    lease.confirm()
    assert not lease.valid(at(62))


def test_safe_from_the_start_until_there_is_a_lease():
    safety, lease = Safety(300, START), Lease(START)
    assert safety.safe
    assert not safety.update(lease, START), "nothing has changed"
    assert safety.safe and safety.reasons == ["not authorized yet"]
    lease.grant(START, 3600, 0)
    assert not safety.update(lease, at(1))
    lease.confirm()
    assert safety.update(lease, at(2)) and not safety.safe and not safety.reasons
    assert not safety.update(lease, at(3)), "reported once"


def test_the_end_of_the_lease_is_signalled_once_with_its_reason():
    safety, lease = Safety(0, START), held(60)
    assert safety.update(lease, at(1))
    assert not safety.update(lease, at(59)) and not safety.safe
    assert safety.update(lease, at(60)) and safety.safe
    assert safety.reasons == ["authorization expired"]
    lease.end("subscription inactive")
    assert not safety.update(lease, at(61)), "safe already"
    assert safety.reasons == ["subscription inactive"]


def test_silence_counts_from_the_latest_answer():
    safety, lease = Safety(300, START), held(DAY_S)
    assert safety.update(lease, START) and not safety.safe
    assert not safety.update(lease, at(299))
    safety.contact(at(299))
    assert not safety.update(lease, at(598)) and not safety.safe
    assert safety.update(lease, at(599)) and safety.safe
    assert safety.reasons == ["no answer from the cloud for 300 s"]
    safety.contact(at(700))
    assert safety.update(lease, at(700)) and not safety.safe


def test_silence_s_of_zero_turns_the_check_off():
    safety, lease = Safety(0, START), held(5 * DAY_S)
    safety.update(lease, START)
    for hour in range(1, 5 * 24):
        assert not safety.update(lease, at(hour * 3600)) and not safety.safe


def test_a_day_of_silence_is_the_longest():
    safety, lease = Safety(DAY_S, START), held(5 * DAY_S)
    safety.update(lease, START)
    assert not safety.update(lease, at(DAY_S - 1)) and not safety.safe
    assert safety.update(lease, at(DAY_S)) and safety.safe


def test_a_failed_loop_is_a_reason_until_it_runs_again():
    safety, lease = Safety(300, START), held()
    safety.update(lease, START)
    safety.faults.add("cloud")
    assert safety.update(lease, at(1)) and safety.reasons == ["task cloud failed"]
    safety.faults.add("sampling")
    safety.faults.add("cloud")
    assert not safety.update(lease, at(2)) and len(safety.reasons) == 2
    safety.faults.discard("cloud")
    assert not safety.update(lease, at(3)) and safety.safe
    assert safety.reasons == ["task sampling failed"]
    safety.faults.discard("sampling")
    assert safety.update(lease, at(4)) and not safety.safe


def test_all_reasons_are_named_together():
    safety, lease = Safety(10, START), held(60)
    safety.faults.add("cloud")
    safety.update(lease, at(60))
    assert safety.reasons == [
        "task cloud failed",
        "authorization expired",
        "no answer from the cloud for 10 s",
    ]
